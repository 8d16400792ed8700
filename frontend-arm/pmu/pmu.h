#pragma once
/// PMUv3 with six event counters. Events that happen: SW_INCR, INST_RETIRED, CPU_CYCLES, and CHAIN
/// for odd counters; the emulated pipeline never stalls. A cycle is a nanosecond of the system
/// counter: the CPU has a nominal 1 GHz. Counters are computed when they are looked at; pmu_poll()
/// finds overflows.
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/state/environment.h"

namespace tandem::arm {

[[nodiscard]] u64 read_pmu(ArmState &, SysRegId);
void write_pmu(ArmState &, SysRegId, u64 value);

/// Looks for overflows, drives the interrupt line and asks for the next deadline. On the CPU's
/// thread, between blocks.
void pmu_poll(ArmState &);

/// Starts and stops counters that count in one EL only. Exception entry and return call it when
/// ArmState::pmu_filtered.
void pmu_el_changed(ArmState &);

} // namespace tandem::arm
