#pragma once
/// The monitor's commands about CPUs and memory, in QEMU's forms.
#include "machine/debug/target.h"

#include <string>
#include <string_view>

namespace tandem::machine {

/// All registers, or the first feature's alone: the ones every program uses.
enum class Registers : u8 { Core, All };
[[nodiscard]] std::string show_registers(DebugTarget &, u32 cpu, Registers);
[[nodiscard]] std::string show_layout(DebugTarget &);
/// `[/COUNTFORMATSIZE] ADDRESS`: as the CPU sees memory, or physical, where devices are read, too.
enum class MemoryView : u8 { Virtual, Physical };
[[nodiscard]] std::string show_memory(DebugTarget &, u32 cpu, MemoryView,
                                      std::string_view arguments);
/// `ADDRESS`: where it leads.
[[nodiscard]] std::string show_translation(DebugTarget &, u32 cpu, std::string_view arguments);
[[nodiscard]] std::string show_moment(DebugTarget &);
/// `COUNT`: goes there, and shows where that is.
[[nodiscard]] std::string go_to_moment(DebugTarget &, std::string_view arguments);

} // namespace tandem::machine
