#pragma once
/// Self-hosted debug: breakpoints, watchpoints, software step (Arm ARM D2).
#include "frontend-arm/state/arm_state.h"
#include "ir/memory_op.h"

namespace tandem::arm {

inline constexpr unsigned kBreakpoints = 6; ///< ID_AA64DFR0_EL1.BRPs + 1
inline constexpr unsigned kFirstContextBreakpoint = 4;
inline constexpr unsigned kWatchpoints = 4; ///< ID_AA64DFR0_EL1.WRPs + 1

/// Recomputes ArmState::debug_enabled and watchpoints_enabled. Part of update_controls().
void update_debug_controls(ArmState &);
/// Mode::kSingleStep, kSsBit and kBreakpoints for the current PSTATE, when debug_enabled.
[[nodiscard]] u32 debug_mode_bits(const ArmState &);

/// Arm ARM, AArch64.GenerateDebugExceptionsFrom: whether debug exceptions (but BRK's) are enabled
/// at an EL with this PSTATE.DAIF. MDSCR_EL1.{MDE, SS} is not part of it.
[[nodiscard]] bool debug_exceptions_enabled(const ArmState &, u32 el, u32 daif);

/// Whether an enabled breakpoint matches the instruction at `va`.
[[nodiscard]] bool breakpoint_matches(const ArmState &, u64 va);

/// Whether an enabled watchpoint covers a byte of this 4 KiB page.
[[nodiscard]] bool page_is_watched(const ArmState &, u64 va_page);
/// Whether the access hits a watchpoint; then `address` is the first watched byte.
[[nodiscard]] bool watchpoint_matches(const ArmState &, u64 va, u32 bytes, ir::Regime,
                                      bool is_store, u64 &address);

} // namespace tandem::arm
