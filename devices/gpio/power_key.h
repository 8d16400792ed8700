#pragma once
/// The power key on the GPIO controller: a press that lasts long enough for the guest to see it.
#include "devices/core/clock.h"
#include "devices/gpio/pl061.h"

namespace tandem::devices {

class PowerKey final : private TimerListener {
public:
    PowerKey(Pl061 &gpio, Clock &clock)
        : gpio_(gpio), clock_(clock), release_(clock.create_timer(*this)) {}

    /// Any thread. The key comes up again by itself.
    void press() {
        gpio_.set_input(Pl061::kPowerKeyPin, true);
        release_->arm(clock_.now_ns() + kHeldNs);
    }

private:
    static constexpr u64 kHeldNs = 100'000'000;
    void timer_expired() override { gpio_.set_input(Pl061::kPowerKeyPin, false); }

    Pl061 &gpio_;
    Clock &clock_;
    std::unique_ptr<Timer> release_;
};

} // namespace tandem::devices
