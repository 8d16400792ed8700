#include "machine/replay/virtual_clock.h"

namespace tandem::machine::replay {

class VirtualClock::DeadlineTimer final : public devices::Timer {
public:
    DeadlineTimer(VirtualClock &clock, devices::TimerListener &listener)
        : clock_(clock), listener_(listener) {}
    ~DeadlineTimer() override { cancel(); }

    void arm(u64 deadline_ns) override {
        cancel();
        key_ = {deadline_ns, clock_.times_armed_++};
        clock_.queue_.emplace(key_, this);
        is_armed_ = true;
    }
    void cancel() override {
        if (is_armed_) clock_.queue_.erase(key_);
        is_armed_ = false;
    }
    void expire() {
        cancel();
        listener_.timer_expired();
    }

private:
    VirtualClock &clock_;
    devices::TimerListener &listener_;
    Key key_{};
    bool is_armed_ = false;
};

std::unique_ptr<devices::Timer> VirtualClock::create_timer(devices::TimerListener &listener) {
    return std::make_unique<DeadlineTimer>(*this, listener);
}

void VirtualClock::fire_due() {
    while (next_deadline() <= now_) queue_.begin()->second->expire();
}

} // namespace tandem::machine::replay
