#include "machine/replay/virtual_clock.h"

#include <algorithm>

namespace tandem::machine::replay {
namespace {

struct ClockState {
    static constexpr u32 kVersion = 1;

    struct Armed {
        u32 timer = 0;
        u64 deadline = 0, order = 0;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.timer, self.deadline, self.order);
        }
    };

    u64 now = 0, times_armed = 0;
    std::vector<Armed> armed;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.now, self.times_armed, self.armed);
    }
};

} // namespace

class VirtualClock::DeadlineTimer final : public devices::Timer {
public:
    DeadlineTimer(VirtualClock &clock, devices::TimerListener &listener)
        : clock_(clock), listener_(listener) {
        const auto free = std::ranges::find(clock.timers_, nullptr);
        number_ = static_cast<u32>(free - clock.timers_.begin());
        if (free == clock.timers_.end())
            clock.timers_.push_back(this);
        else
            *free = this;
    }
    ~DeadlineTimer() override {
        cancel();
        clock_.timers_[number_] = nullptr;
    }

    void arm(u64 deadline_ns) override { arm(Key{deadline_ns, clock_.times_armed_++}); }
    void arm(Key key) {
        cancel();
        key_ = key;
        clock_.queue_.emplace(key_, this);
        is_armed_ = true;
        // The instruction that did it is the last before the turn is planned again.
        if (clock_.running_ != nullptr && key.first < clock_.turn_end_) clock_.running_->leave();
    }
    void cancel() override {
        if (is_armed_) clock_.queue_.erase(key_);
        is_armed_ = false;
    }
    void expire() {
        cancel();
        listener_.timer_expired();
    }
    [[nodiscard]] u32 number() const { return number_; }

private:
    VirtualClock &clock_;
    devices::TimerListener &listener_;
    u32 number_ = 0;
    Key key_{};
    bool is_armed_ = false;
};

std::unique_ptr<devices::Timer> VirtualClock::create_timer(devices::TimerListener &listener) {
    return std::make_unique<DeadlineTimer>(*this, listener);
}

void VirtualClock::fire_due() {
    while (next_deadline() <= now_) queue_.begin()->second->expire();
}

void VirtualClock::save(devices::StateWriter &writer) const {
    ClockState state{.now = now_, .times_armed = times_armed_, .armed = {}};
    for (const auto &[key, timer] : queue_)
        state.armed.push_back({timer->number(), key.first, key.second});
    devices::save_state(writer, "clock", state);
}

Result<> VirtualClock::restore(devices::StateReader &reader) {
    ClockState state;
    TRY(devices::restore_state(reader, "clock", state));
    for (DeadlineTimer *timer : timers_)
        if (timer != nullptr) timer->cancel();
    for (const auto &[number, deadline, order] : state.armed) {
        if (number >= timers_.size() || timers_[number] == nullptr)
            return failure("checkpoint: it has a timer that this machine does not have");
        timers_[number]->arm(Key{deadline, order});
    }
    now_ = state.now;
    times_armed_ = state.times_armed;
    return {};
}

} // namespace tandem::machine::replay
