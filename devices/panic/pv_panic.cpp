#include "devices/panic/pv_panic.h"

#include <utility>

namespace tandem::devices {

namespace {

constexpr PciIdentity kIdentity{.vendor = 0x1b36, // as on other boards of this kind
                                .device = 0x0011,
                                .revision = 1,
                                .class_code = 0x08'80'00, // base system peripheral: other
                                .subsystem_vendor = 0x1af4,
                                .subsystem = 0x1100};
constexpr u64 kBarSize = 16; ///< the least there is; the register is its first byte
constexpr u8 kEvents =
    static_cast<u8>(GuestPanic::Panicked) | static_cast<u8>(GuestPanic::CrashLoaded);
/// Between the guest's write and what comes of it: whoever acts may stop CPUs, this one too.
constexpr u64 kDelayNs = 10'000;

} // namespace

PvPanic::PvPanic(Clock &clock, std::function<void(GuestPanic)> said)
    : PciFunction("panic", kIdentity), clock_(clock), said_(std::move(said)),
      timer_(clock.create_timer(*this)) {
    add_bar(kRegisterBar, kBarSize, BarKind::Memory32);
}

u64 PvPanic::read_own_bar(u32, u64 offset, unsigned) {
    return offset == 0 ? kEvents : 0;
}

void PvPanic::write_own_bar(u32, u64 offset, unsigned, u64 value) {
    const u8 events = static_cast<u8>(value) & kEvents;
    if (offset != 0 || events == 0) return;
    const std::scoped_lock lock(mutex_);
    unsaid_ |= events;
    arm_timer();
}

void PvPanic::arm_timer() {
    timer_->arm(clock_.now_ns() + kDelayNs);
}

void PvPanic::timer_expired() {
    u8 events = 0;
    {
        const std::scoped_lock lock(mutex_);
        events = std::exchange(unsaid_, u8{0});
    }
    for (const GuestPanic event : {GuestPanic::CrashLoaded, GuestPanic::Panicked})
        if ((events & static_cast<u8>(event)) != 0) said_(event);
}

void PvPanic::reset() {
    {
        const std::scoped_lock lock(mutex_);
        reset_function();
        unsaid_ = 0;
    }
    mapping_changed();
}

void PvPanic::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, "pvpanic", SavedState{saved_function(), unsaid_});
}

Result<> PvPanic::restore(StateReader &reader) {
    SavedState state;
    if (auto result = restore_state(reader, "pvpanic", state); !result) return result;
    {
        const std::scoped_lock lock(mutex_);
        if (auto result = restore_function(state.function); !result) return result;
        unsaid_ = state.unsaid & kEvents;
        if (unsaid_ != 0) arm_timer();
    }
    mapping_changed();
    return {};
}

} // namespace tandem::devices
