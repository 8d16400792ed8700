#include "frontend-arm/timer/generic_timer.h"

#include "support/check.h"

namespace tandem::arm {

namespace {

// CNTP_CTL_EL0, CNTV_CTL_EL0.
constexpr u64 kEnable = 1, kImask = 2, kIstatus = 4;

struct TimerRegisters {
    SysRegId control;
    SysRegId compare;
    TimerChannel channel;
};
constexpr TimerRegisters kPhysical{reg::CNTP_CTL_EL0, reg::CNTP_CVAL_EL0, TimerChannel::Physical};
constexpr TimerRegisters kVirtual{reg::CNTV_CTL_EL0, reg::CNTV_CVAL_EL0, TimerChannel::Virtual};

u64 counter(const ArmState &s) {
    return s.environment->timer->counter();
}

u64 read_control(const ArmState &s, const TimerRegisters &timer) {
    const u64 control = s.sysreg[timer.control];
    if ((control & kEnable) == 0) return control;
    return control | (counter(s) >= s.sysreg[timer.compare] ? kIstatus : 0);
}

/// TVAL is a signed 32-bit view of the distance to CVAL.
u64 read_distance(const ArmState &s, const TimerRegisters &timer) {
    return (s.sysreg[timer.compare] - counter(s)) & 0xffffffff;
}

void update(const ArmState &s, const TimerRegisters &timer) {
    const bool output_enabled = (s.sysreg[timer.control] & (kEnable | kImask)) == kEnable;
    s.environment->timer->set_timer(timer.channel,
                                    output_enabled ? s.sysreg[timer.compare] : TimerPort::kNever);
}

void write_distance(ArmState &s, const TimerRegisters &timer, u64 value) {
    s.sysreg[timer.compare] = counter(s) + static_cast<u64>(sign_extend(value, 32));
    update(s, timer);
}

} // namespace

u64 read_timer(const ArmState &s, SysRegId id) {
    switch (id) {
    case reg::CNTPCT_EL0:
    case reg::CNTVCT_EL0: return counter(s);
    case reg::CNTP_TVAL_EL0: return read_distance(s, kPhysical);
    case reg::CNTV_TVAL_EL0: return read_distance(s, kVirtual);
    case reg::CNTP_CTL_EL0: return read_control(s, kPhysical);
    case reg::CNTV_CTL_EL0: return read_control(s, kVirtual);
    default: return s.sysreg[id];
    }
}

void write_timer(ArmState &s, SysRegId id, u64 value) {
    switch (id) {
    case reg::CNTP_TVAL_EL0: write_distance(s, kPhysical, value); break;
    case reg::CNTV_TVAL_EL0: write_distance(s, kVirtual, value); break;
    case reg::CNTP_CTL_EL0:
    case reg::CNTV_CTL_EL0:
        s.sysreg[id] = value & (kEnable | kImask);
        update(s, id == reg::CNTP_CTL_EL0 ? kPhysical : kVirtual);
        break;
    case reg::CNTP_CVAL_EL0:
    case reg::CNTV_CVAL_EL0:
        s.sysreg[id] = value;
        update(s, id == reg::CNTP_CVAL_EL0 ? kPhysical : kVirtual);
        break;
    case reg::CNTKCTL_EL1: s.sysreg[id] = value & 0x3ff; break;
    default: CHECK(false);
    }
}

void update_timers(ArmState &s) {
    update(s, kPhysical);
    update(s, kVirtual);
}

u64 next_event_stream_tick(const ArmState &s, u64 now) {
    const u64 control = s.sysreg[reg::CNTKCTL_EL1];
    if (!bit(control, 2)) return TimerPort::kNever; // EVNTEN
    const u64 half_period = u64{1} << bits(control, 7, 4);
    const u64 period = 2 * half_period;
    // EVNTDIR = 0: when bit EVNTI of the count becomes 1, that is at half_period modulo period.
    const u64 phase = bit(control, 3) ? 0 : half_period;
    const u64 tick = align_down(now, period) + phase;
    return tick > now ? tick : tick + period;
}

} // namespace tandem::arm
