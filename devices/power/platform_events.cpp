#include "devices/power/platform_events.h"

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/power/platform_events_registers.inc"
#include "devices/core/register_table.inc"

static_assert(static_cast<u32>(Register::Events) == PlatformEvents::kEvents &&
              static_cast<u32>(Register::SleepControl) == PlatformEvents::kSleepControl &&
              static_cast<u32>(Register::SleepStatus) == PlatformEvents::kSleepStatus &&
              static_cast<u32>(Register::Reset) == PlatformEvents::kReset &&
              Events_POWER_KEY == PlatformEvents::kPowerKey);

} // namespace

PlatformEvents::PlatformEvents(IrqLine irq, Actions actions)
    : irq_(irq), actions_(std::move(actions)) {}

void PlatformEvents::press_power_key() {
    const std::scoped_lock lock(mutex_);
    state_.events |= kPowerKey;
    irq_.set(true);
}

void PlatformEvents::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
    irq_.set(false);
}

u8 PlatformEvents::read_byte(u32 offset) {
    if (offset != kEvents) return 0;
    const std::scoped_lock lock(mutex_);
    irq_.set(false);
    return std::exchange(state_.events, u8{0});
}

void PlatformEvents::write_byte(u32 offset, u8 value) {
    switch (static_cast<Register>(offset)) {
    case Register::SleepControl:
        // Other states do not exist here: writing them does nothing.
        if ((value & SleepControl_SLP_EN) != 0 && bits32(value, 4, 2) == kSoftOff)
            actions_.power_off();
        break;
    case Register::Reset:
        if (value == kResetValue) actions_.reset();
        break;
    case Register::Events:
    case Register::SleepStatus: break;
    }
}

void PlatformEvents::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> PlatformEvents::restore(StateReader &reader) {
    PlatformEventsState state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    const std::scoped_lock lock(mutex_);
    state_.events = state.events & kPowerKey;
    irq_.drive(state_.events != 0);
    return {};
}

} // namespace tandem::devices
