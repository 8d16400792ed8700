#pragma once
/// Puts a kernel for x86-64 and what goes with it into guest memory.
#include "machine/accel/kvm/x86/start_state.h"
#include "machine/memory/guest_memory.h"

#include <array>
#include <string>

namespace tandem::machine::x86 {

struct BootFiles {
    std::string kernel, initrd, append;
    std::array<std::byte, 32> rng_seed{};
    u64 acpi = 0; ///< address of the root pointer of the ACPI tables
};

struct Entry {
    u64 address = 0;
    u64 info = 0; ///< address of what the protocol passes
    BootProtocol protocol = BootProtocol::Linux64;
};

/// A bzImage (boot protocol 2.12 or later, 64-bit), or an ELF executable: with a PVH note by that,
/// else as Linux's own vmlinux. RAM is at 0, with the hole of low_memory.h.
[[nodiscard]] Result<Entry> load_kernel(const BootFiles &, GuestMemory &);

} // namespace tandem::machine::x86
