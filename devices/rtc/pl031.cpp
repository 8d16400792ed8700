#include "devices/rtc/pl031.h"

#include "devices/core/fdt_node.h"
#include "devices/core/primecell.h"

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/rtc/pl031_registers.inc"
#include "devices/core/register_table.inc"

constexpr PrimecellId kId(0x00041031);
constexpr u64 kNsPerSecond = 1'000'000'000;

} // namespace

Pl031::Pl031(Clock &clock, IrqLine irq)
    : clock_(clock), irq_(irq), alarm_(clock.create_timer(*this)) {}

u32 Pl031::now() const {
    return static_cast<u32>(clock_.calendar_seconds()) + state_.offset;
}

void Pl031::reset() {
    const std::scoped_lock lock(mutex_);
    // The clock keeps time over a reset; only the alarm goes.
    state_ = {.load = state_.load, .offset = state_.offset};
    alarm_->cancel();
    update_interrupt();
}

void Pl031::arm_alarm() {
    // RTCMR: the interrupt comes when the counter reaches the match; it counts modulo 2^32.
    const u32 seconds = state_.match - now();
    if (seconds == 0) {
        state_.armed = false;
        state_.raised = true;
        alarm_->cancel();
        return;
    }
    state_.armed = true;
    state_.alarm_at = clock_.now_ns() + seconds * kNsPerSecond;
    alarm_->arm(state_.alarm_at);
}

void Pl031::timer_expired() {
    const std::scoped_lock lock(mutex_);
    if (!state_.armed || clock_.now_ns() < state_.alarm_at) return;
    state_.armed = false;
    state_.raised = true;
    update_interrupt();
}

void Pl031::update_interrupt() {
    irq_.set(state_.raised && state_.masked_in);
}

u32 Pl031::read_word(u32 offset) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::RTCDR: return now();
    case Register::RTCMR: return state_.match;
    case Register::RTCLR: return state_.load;
    case Register::RTCCR: return RTCCR_Start;
    case Register::RTCIMSC: return state_.masked_in ? RTCIMSC_IM : 0;
    case Register::RTCRIS: return state_.raised ? RTCRIS_RIS : 0;
    case Register::RTCMIS: return state_.raised && state_.masked_in ? RTCRIS_RIS : 0;
    default: return PrimecellId::covers(offset) ? kId.read(offset) : 0;
    }
}

void Pl031::write_word(u32 offset, u32 value) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::RTCMR:
        state_.match = value;
        arm_alarm();
        break;
    case Register::RTCLR:
        state_.load = value;
        state_.offset += value - now();
        arm_alarm();
        break;
    case Register::RTCIMSC: state_.masked_in = (value & RTCIMSC_IM) != 0; break;
    case Register::RTCICR:
        if ((value & RTCICR_RTCICR) != 0) state_.raised = false;
        break;
    default: break; // RTCCR: once started the clock cannot be stopped
    }
    update_interrupt();
}

void Pl031::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> Pl031::restore(StateReader &reader) {
    Pl031State state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    const std::scoped_lock lock(mutex_);
    state_ = state;
    if (state_.armed)
        alarm_->arm(state_.alarm_at);
    else
        alarm_->cancel();
    irq_.drive(state_.raised && state_.masked_in);
    return {};
}

void Pl031::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("pl031", placement.base));
    node.strings("compatible", {"arm,pl031", "arm,primecell"});
    fdt_reg(node, placement.base, size());
    fdt_spi(node, placement.spi, kFdtLevelHigh);
    node.strings("clock-names", {"apb_pclk"});
    node.cells("clocks", {placement.clock_phandle});
}

} // namespace tandem::devices
