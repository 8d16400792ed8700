#pragma once
/// Guest memory by virtual address, as a privileged load or store of a CPU finds it (Arm ARM D8):
/// with its permissions, but without an exception where it is not there.
#include "frontend-arm/state/arm_state.h"
#include "machine/memory/physical_map.h"

#include <span>
#include <string>

namespace tandem::machine {

/// On the thread of the CPU, which is inside an instruction.
class GuestView {
public:
    GuestView(const arm::ArmState &cpu, PhysicalMap &memory) : cpu_(cpu), memory_(memory) {}

    // How many bytes were moved, up to the first page that is no RAM or not the CPU's to use so.
    [[nodiscard]] std::size_t read(u64 va, std::span<std::byte> out) const;
    [[nodiscard]] std::size_t write(u64 va, std::span<const std::byte> in);

    // All of it or nothing.
    [[nodiscard]] bool read_all(u64 va, std::span<std::byte> out) const {
        return read(va, out) == out.size();
    }
    [[nodiscard]] bool write_all(u64 va, std::span<const std::byte> in) {
        return write(va, in) == in.size();
    }

private:
    const arm::ArmState &cpu_;
    PhysicalMap &memory_;
};

} // namespace tandem::machine
