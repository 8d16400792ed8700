#include "frontend-arm/pmu/pmu.h"

#include <algorithm>

namespace tandem::arm {

namespace {

constexpr unsigned kCycleCounter = kPmuCounters; ///< index in ArmState::pmu_base
constexpr u64 kCounterMask = ones(kPmuCounters) | u64{1} << 31;

// PMCR_EL0.
constexpr u64 kPmcrE = 1, kPmcrP = 2, kPmcrC = 4, kPmcrWritable = 0x39 /* E, D, X, DP */;

constexpr u64 kEventSoftware = 0x00, kEventInstructions = 0x08, kEventCycles = 0x11,
              kEventChain = 0x1e;

constexpr u64 kFilterEl1 = u64{1} << 31, kFilterEl0 = u64{1} << 30;

/// Bit of a counter in PMCNTENSET_EL0 and its siblings.
constexpr u64 counter_bit(unsigned n) {
    return u64{1} << (n == kCycleCounter ? 31 : n);
}

u64 counter_type(const ArmState &s, unsigned n) {
    if (n == kCycleCounter) return s.sysreg[reg::PMCCFILTR_EL0];
    return s.sysreg[reg::PMEVTYPER0_EL0 + n];
}

u64 counter_event(const ArmState &s, unsigned n) {
    return n == kCycleCounter ? kEventCycles : bits(counter_type(s, n), 15, 0);
}

u64 cycles(const ArmState &s) {
    TimerPort &timer = *s.environment->timer;
    return static_cast<u64>(u128{timer.counter()} * 1'000'000'000 / timer.frequency());
}

/// The running total that a counter of this event follows.
u64 source(const ArmState &s, u64 event) {
    if (event == kEventCycles) return cycles(s);
    if (event == kEventInstructions) return s.environment->pmu->instructions();
    return 0;
}

bool is_running(const ArmState &s, unsigned n) {
    return bit(s.pmu_running, n);
}

u64 counter_value(const ArmState &s, unsigned n) {
    return s.pmu_base[n] + (is_running(s, n) ? source(s, counter_event(s, n)) : 0);
}

void set_counter(ArmState &s, unsigned n, u64 value) {
    s.pmu_base[n] = value - (is_running(s, n) ? source(s, counter_event(s, n)) : 0);
    if (n == kCycleCounter) s.sysreg[reg::PMCCNTR_EL0] = value;
}

bool is_enabled(const ArmState &s, unsigned n) {
    return (s.sysreg[reg::PMCR_EL0] & kPmcrE) != 0 &&
           (s.sysreg[reg::PMCNTENSET_EL0] & counter_bit(n)) != 0;
}

void start_and_stop(ArmState &s) {
    for (unsigned n = 0; n <= kPmuCounters; ++n) {
        const u64 filter = s.el == 0 ? kFilterEl0 : kFilterEl1;
        const bool runs = is_enabled(s, n) && (counter_type(s, n) & filter) == 0;
        if (runs == is_running(s, n)) continue;
        const u64 value = counter_value(s, n);
        s.pmu_running ^= 1u << n;
        set_counter(s, n, value);
    }
}

/// Event counters have 32 bits; their bases are kept so that a value of 2^32 or more is an
/// overflow. The cycle counter has 64: its last known value is in the slot of PMCCNTR_EL0.
void find_overflows(ArmState &s) {
    for (unsigned n = 0; n < kPmuCounters; ++n) {
        const u64 value = counter_value(s, n);
        const u64 overflows = value >> 32;
        if (overflows == 0) continue;
        s.pmu_base[n] -= overflows << 32;
        s.sysreg[reg::PMOVSSET_EL0] |= counter_bit(n);
        const unsigned next = n + 1;
        if (n % 2 == 0 && is_running(s, next) && counter_event(s, next) == kEventChain) {
            s.pmu_base[next] += overflows;
        }
    }
    const u64 value = counter_value(s, kCycleCounter);
    if (value < s.sysreg[reg::PMCCNTR_EL0]) {
        s.sysreg[reg::PMOVSSET_EL0] |= counter_bit(kCycleCounter);
    }
    s.sysreg[reg::PMCCNTR_EL0] = value;
}

void update_interrupt(ArmState &s) {
    const u64 pending = s.sysreg[reg::PMOVSSET_EL0] & s.sysreg[reg::PMINTENSET_EL1];
    s.environment->pmu->set_line(pending != 0 && (s.sysreg[reg::PMCR_EL0] & kPmcrE) != 0);

    u64 instructions = PmuPort::kNever, counter = PmuPort::kNever;
    const TimerPort &timer = *s.environment->timer;
    for (unsigned n = 0; n <= kPmuCounters; ++n) {
        // One that stands still in this EL may go on any moment: look again after a while.
        if (!is_enabled(s, n)) continue;
        const bool interrupts = (s.sysreg[reg::PMINTENSET_EL1] & counter_bit(n)) != 0;
        const bool chained = n % 2 == 0 && n + 1 < kPmuCounters && is_enabled(s, n + 1) &&
                             counter_event(s, n + 1) == kEventChain;
        if (!interrupts && !chained) continue;
        const u64 value = counter_value(s, n);
        const u64 until_overflow =
            n == kCycleCounter ? ~value : (u64{1} << 32) - std::min(value, ones(32));
        const u64 left = is_running(s, n) ? until_overflow : std::max<u64>(until_overflow, 2000);
        if (counter_event(s, n) == kEventInstructions) {
            instructions = std::min(instructions, left);
        } else if (counter_event(s, n) == kEventCycles) {
            const u128 ticks = u128{left} * timer.frequency() / 1'000'000'000;
            const u128 at = ticks + s.environment->timer->counter() + 1;
            counter =
                std::min(counter, at < PmuPort::kNever ? static_cast<u64>(at) : PmuPort::kNever);
        }
    }
    s.environment->pmu->set_overflow_deadline(instructions, counter);
}

/// After any change of control: what runs, what is filtered, the wire.
void reconfigure(ArmState &s) {
    start_and_stop(s);
    s.pmu_filtered = false;
    for (unsigned n = 0; n <= kPmuCounters; ++n) {
        const u64 filter = counter_type(s, n) & (kFilterEl1 | kFilterEl0);
        s.pmu_filtered |= is_enabled(s, n) && filter != 0;
    }
    update_interrupt(s);
}

void write_control(ArmState &s, u64 value) {
    u64 &control = s.sysreg[reg::PMCR_EL0];
    control = (control & ~kPmcrWritable) | (value & kPmcrWritable);
    if ((value & kPmcrP) != 0) {
        for (unsigned n = 0; n < kPmuCounters; ++n) set_counter(s, n, 0);
    }
    if ((value & kPmcrC) != 0) set_counter(s, kCycleCounter, 0);
}

void write_type(ArmState &s, unsigned n, u64 value) {
    // The value survives a change of event, whatever the sources are.
    const u64 count = counter_value(s, n);
    if (n == kCycleCounter) {
        s.sysreg[reg::PMCCFILTR_EL0] = value & (kFilterEl1 | kFilterEl0);
    } else {
        s.sysreg[reg::PMEVTYPER0_EL0 + n] = value & (kFilterEl1 | kFilterEl0 | 0xffff);
    }
    set_counter(s, n, count);
}

void count_software_event(ArmState &s, u64 mask) {
    for (unsigned n = 0; n < kPmuCounters; ++n) {
        if (bit(mask, n) && is_running(s, n) && counter_event(s, n) == kEventSoftware) {
            ++s.pmu_base[n];
        }
    }
    find_overflows(s);
}

u64 selected(const ArmState &s) {
    return bits(s.sysreg[reg::PMSELR_EL0], 4, 0);
}

} // namespace

u64 read_pmu(ArmState &s, SysRegId id) {
    find_overflows(s);
    switch (id) {
    case reg::PMCNTENCLR_EL0: return s.sysreg[reg::PMCNTENSET_EL0];
    case reg::PMINTENCLR_EL1: return s.sysreg[reg::PMINTENSET_EL1];
    case reg::PMOVSCLR_EL0:
    case reg::PMOVSSET_EL0: return s.sysreg[reg::PMOVSSET_EL0];
    case reg::PMCCNTR_EL0: return s.sysreg[reg::PMCCNTR_EL0];
    case reg::PMXEVTYPER_EL0:
        if (selected(s) == 31) return s.sysreg[reg::PMCCFILTR_EL0];
        return selected(s) < kPmuCounters ? s.sysreg[reg::PMEVTYPER0_EL0 + selected(s)] : 0;
    case reg::PMXEVCNTR_EL0:
        return selected(s) < kPmuCounters ? counter_value(s, static_cast<unsigned>(selected(s)))
                                          : 0;
    default:
        if (id >= reg::PMEVCNTR0_EL0 && id < reg::PMEVCNTR0_EL0 + kPmuCounters) {
            return counter_value(s, id - reg::PMEVCNTR0_EL0);
        }
        return s.sysreg[id];
    }
}

void write_pmu(ArmState &s, SysRegId id, u64 value) {
    find_overflows(s);
    switch (id) {
    case reg::PMCR_EL0: write_control(s, value); break;
    case reg::PMCNTENSET_EL0: s.sysreg[reg::PMCNTENSET_EL0] |= value & kCounterMask; break;
    case reg::PMCNTENCLR_EL0: s.sysreg[reg::PMCNTENSET_EL0] &= ~value; break;
    case reg::PMINTENSET_EL1: s.sysreg[reg::PMINTENSET_EL1] |= value & kCounterMask; break;
    case reg::PMINTENCLR_EL1: s.sysreg[reg::PMINTENSET_EL1] &= ~value; break;
    case reg::PMOVSSET_EL0: s.sysreg[reg::PMOVSSET_EL0] |= value & kCounterMask; break;
    case reg::PMOVSCLR_EL0: s.sysreg[reg::PMOVSSET_EL0] &= ~value; break;
    case reg::PMSWINC_EL0: count_software_event(s, value); break;
    case reg::PMSELR_EL0: s.sysreg[id] = value & 31; break;
    case reg::PMUSERENR_EL0: s.sysreg[id] = value & 15; break;
    case reg::PMCCNTR_EL0: set_counter(s, kCycleCounter, value); break;
    case reg::PMCCFILTR_EL0: write_type(s, kCycleCounter, value); break;
    case reg::PMXEVTYPER_EL0:
        if (selected(s) == 31) write_type(s, kCycleCounter, value);
        if (selected(s) < kPmuCounters) write_type(s, static_cast<unsigned>(selected(s)), value);
        break;
    case reg::PMXEVCNTR_EL0:
        if (selected(s) < kPmuCounters) {
            set_counter(s, static_cast<unsigned>(selected(s)), value & 0xffffffff);
        }
        break;
    default:
        if (id >= reg::PMEVCNTR0_EL0 && id < reg::PMEVCNTR0_EL0 + kPmuCounters) {
            set_counter(s, id - reg::PMEVCNTR0_EL0, value & 0xffffffff);
        } else if (id >= reg::PMEVTYPER0_EL0 && id < reg::PMEVTYPER0_EL0 + kPmuCounters) {
            write_type(s, id - reg::PMEVTYPER0_EL0, value);
        }
        break;
    }
    reconfigure(s);
}

void pmu_poll(ArmState &s) {
    find_overflows(s);
    update_interrupt(s);
}

void pmu_el_changed(ArmState &s) {
    find_overflows(s);
    start_and_stop(s);
}

} // namespace tandem::arm
