#pragma once
/// The power key on the GPIO controller: a press that lasts long enough for the guest to see it.
#include "devices/core/clock.h"
#include "devices/gpio/pl061.h"

#include <mutex>

namespace tandem::devices {

struct PowerKeyState {
    static constexpr u32 kVersion = 1;

    bool is_held = false;
    u64 release_at = 0; ///< Clock time

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.is_held, self.release_at);
    }
};

class PowerKey final : private TimerListener {
public:
    PowerKey(Pl061 &gpio, Clock &clock)
        : gpio_(gpio), clock_(clock), release_(clock.create_timer(*this)) {}

    /// Any thread. The key comes up again by itself.
    void press() {
        const std::scoped_lock lock(mutex_);
        state_ = {.is_held = true, .release_at = clock_.now_ns() + kHeldNs};
        gpio_.set_input(Pl061::kPowerKeyPin, true);
        release_->arm(state_.release_at);
    }

    // While no vCPU runs, like those of a device. The pin's level is the controller's.
    void save(StateWriter &writer) const {
        const std::scoped_lock lock(mutex_);
        save_state(writer, "power-key", state_);
    }
    [[nodiscard]] Result<> restore(StateReader &reader) {
        const std::scoped_lock lock(mutex_);
        if (auto result = restore_state(reader, "power-key", state_); !result) return result;
        if (state_.is_held) release_->arm(state_.release_at);
        return {};
    }

private:
    static constexpr u64 kHeldNs = 100'000'000;
    void timer_expired() override {
        const std::scoped_lock lock(mutex_);
        if (!state_.is_held || clock_.now_ns() < state_.release_at) return;
        state_.is_held = false;
        gpio_.set_input(Pl061::kPowerKeyPin, false);
    }

    Pl061 &gpio_;
    Clock &clock_;
    mutable std::mutex mutex_;
    PowerKeyState state_;
    std::unique_ptr<Timer> release_;
};

} // namespace tandem::devices
