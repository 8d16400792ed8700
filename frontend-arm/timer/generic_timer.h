#pragma once
/// The two EL1 generic timers of a CPU (Arm ARM D12). There is no EL2, so CNTVOFF is 0 and the
/// virtual count is the physical one. Registers live in ArmState::sysreg; the board's TimerPort
/// knows only when each output rises.
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/state/environment.h"

namespace tandem::arm {

[[nodiscard]] u64 read_timer(const ArmState &, SysRegId);
void write_timer(ArmState &, SysRegId, u64 value);

/// Tells the TimerPort again what it should know; after reset or when a snapshot was loaded.
void update_timers(ArmState &);

/// The event stream (CNTKCTL_EL1.{EVNTEN, EVNTDIR, EVNTI}): the counter value after `now` at which
/// the next event happens, TimerPort::kNever if it is off. A CPU halted in WFE wakes then.
[[nodiscard]] u64 next_event_stream_tick(const ArmState &, u64 now);

} // namespace tandem::arm
