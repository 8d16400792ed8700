#include "devices/watchdog/sbsa_watchdog.h"

#include "devices/core/fdt_node.h"

#include <array>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/watchdog/sbsa_watchdog_registers.inc"
#include "devices/core/register_table.inc"

/// Architecture version 1, which has an offset of 48 bits; implemented by Arm (JEP106).
constexpr u32 kIdentity = 1u << 16 | 0x43b;

/// A deadline that no guest lives to see, and a sum that does not wrap.
constexpr u64 kEndOfTime = ~u64{0};
u64 saturating_add(u64 a, u64 b) {
    return a > kEndOfTime - b ? kEndOfTime : a + b;
}

u64 with_low(u64 value, u32 low) {
    return align_down(value, u64{1} << 32) | low;
}
u64 with_high(u64 value, u32 high) {
    return u64{high} << 32 | static_cast<u32>(value);
}

} // namespace

SbsaWatchdog::SbsaWatchdog(Clock &clock, IrqLine irq, std::function<void()> expired)
    : clock_(clock), expired_(std::move(expired)), irq_(irq), timer_(clock.create_timer(*this)) {}

void SbsaWatchdog::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
    timer_->cancel();
    irq_.set(false);
}

void SbsaWatchdog::arm_timer() {
    // It times out when the counter has passed the compare value.
    if (state_.is_enabled && !state_.second_signal)
        timer_->arm(saturating_add(state_.compare, 1));
    else
        timer_->cancel();
}

void SbsaWatchdog::refresh() {
    state_.first_signal = state_.second_signal = false;
    irq_.set(false);
    state_.compare = saturating_add(clock_.now_ns(), state_.offset);
    arm_timer();
}

void SbsaWatchdog::set_offset(u64 offset) {
    state_.offset = offset;
    refresh();
}

void SbsaWatchdog::timer_expired() {
    {
        const std::scoped_lock lock(mutex_);
        const u64 now = clock_.now_ns();
        if (!state_.is_enabled || state_.second_signal || now <= state_.compare) return;
        if (!state_.first_signal) {
            state_.first_signal = true;
            irq_.set(true);
            state_.compare = saturating_add(now, state_.offset);
            arm_timer();
            return;
        }
        state_.second_signal = true;
    }
    expired_();
}

u32 SbsaWatchdog::read_word(u32 offset) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::WCS:
        return (state_.is_enabled ? WCS_EN : 0) | (state_.first_signal ? WCS_WS0 : 0) |
               (state_.second_signal ? WCS_WS1 : 0);
    case Register::WOR_LOW: return static_cast<u32>(state_.offset);
    case Register::WOR_HIGH: return static_cast<u32>(state_.offset >> 32);
    case Register::WCV_LOW: return static_cast<u32>(state_.compare);
    case Register::WCV_HIGH: return static_cast<u32>(state_.compare >> 32);
    case Register::REFRESH_IIDR:
    case Register::CONTROL_IIDR: return kIdentity;
    default: return 0;
    }
}

void SbsaWatchdog::write_word(u32 offset, u32 value) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::WRR: refresh(); break;
    case Register::WCS:
        state_.is_enabled = (value & WCS_EN) != 0;
        refresh();
        break;
    case Register::WOR_LOW: set_offset(with_low(state_.offset, value)); break;
    case Register::WOR_HIGH: set_offset(with_high(state_.offset, value & WOR_HIGH_Offset)); break;
    // The compare value alone is no refresh: the signals stay.
    case Register::WCV_LOW:
        state_.compare = with_low(state_.compare, value);
        arm_timer();
        break;
    case Register::WCV_HIGH:
        state_.compare = with_high(state_.compare, value);
        arm_timer();
        break;
    default: break;
    }
}

void SbsaWatchdog::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> SbsaWatchdog::restore(StateReader &reader) {
    SbsaWatchdogState state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    const std::scoped_lock lock(mutex_);
    state_ = state;
    arm_timer();
    irq_.drive(state_.first_signal);
    return {};
}

void SbsaWatchdog::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("watchdog", placement.base + kControlFrame));
    node.strings("compatible", {"arm,sbsa-gwdt"});
    std::array<u32, 8> frames{};
    std::size_t cell = 0;
    for (const u64 frame : {kControlFrame, kRefreshFrame}) {
        const u64 base = placement.base.value() + frame;
        for (const u32 part : {fdt_high(base), fdt_low(base), 0u, static_cast<u32>(kFrameSize)})
            frames[cell++] = part;
    }
    node.cells("reg", frames);
    fdt_spi(node, placement.spi, kFdtLevelHigh);
}

} // namespace tandem::devices
