#pragma once
/// What an accelerator lets a debugger do. All of it while every CPU stands between two
/// instructions and is kept there.
#include "machine/debug/debug_types.h"
#include "machine/debug/register_file.h"
#include "support/result.h"

#include <cstddef>
#include <optional>
#include <span>

namespace tandem::machine {

class CpuDebug {
public:
    virtual ~CpuDebug() = default;
    /// By number in the accelerator's register file; the span has the register's size.
    virtual void read_register(std::size_t number, std::span<std::byte> out) = 0;
    [[nodiscard]] virtual Result<> write_register(std::size_t number,
                                                  std::span<const std::byte> in) = 0;
    /// Where a virtual address leads in the CPU's present state, whatever its permissions. Changes
    /// nothing.
    [[nodiscard]] virtual std::optional<u64> translate(u64 va) = 0;
    /// Instructions retired since the CPU was made.
    [[nodiscard]] virtual u64 position() const = 0;
    virtual void set_plan(const CpuPlan &) = 0;
};

class AcceleratorDebug {
public:
    virtual ~AcceleratorDebug() = default;
    [[nodiscard]] virtual const RegisterFile &registers() const = 0;
    [[nodiscard]] virtual CpuDebug &cpu(u32 index) = 0;
    /// Replaces those there were.
    virtual void set_points(std::span<const DebugPoint>) = 0;
    /// Outlives the accelerator, or is replaced by null.
    virtual void set_listener(CpuStopListener *) = 0;
};

} // namespace tandem::machine
