#include "machine/host/clock.h"

#include "machine/host/monotonic.h"
#include "support/check.h"

#include <chrono>
#include <ctime>

namespace tandem::machine {
class HostClock::DeadlineTimer final : public devices::Timer {
public:
    DeadlineTimer(HostClock &clock, devices::TimerListener &listener)
        : clock_(clock), listener_(listener) {}

    ~DeadlineTimer() override {
        std::unique_lock lock(clock_.mutex_);
        remove();
        clock_.callback_done_.wait(lock, [this] { return clock_.firing_ != this; });
    }

    void arm(u64 deadline_ns) override {
        const std::lock_guard lock(clock_.mutex_);
        remove();
        deadline_ = deadline_ns;
        armed_ = true;
        const auto at = clock_.queue_.emplace(deadline_ns, this).first;
        if (at == clock_.queue_.begin()) clock_.changed_.notify_one();
    }

    void cancel() override {
        const std::lock_guard lock(clock_.mutex_);
        remove();
    }

private:
    friend class HostClock;

    void remove() {
        if (armed_) clock_.queue_.erase({deadline_, this});
        armed_ = false;
    }

    HostClock &clock_;
    devices::TimerListener &listener_;
    u64 deadline_ = 0;
    bool armed_ = false;
};

HostClock::HostClock() : epoch_ns_(monotonic_ns()), thread_([this] { run(); }) {}

HostClock::~HostClock() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

u64 HostClock::now_ns() const {
    const u64 frozen = frozen_ns_.load(std::memory_order_acquire);
    return frozen != kRunning ? frozen : monotonic_ns() - epoch_ns_.load(std::memory_order_relaxed);
}

void HostClock::pause() {
    std::unique_lock lock(mutex_);
    if (frozen_ns_.load(std::memory_order_relaxed) != kRunning) return;
    frozen_ns_.store(now_ns(), std::memory_order_release);
    callback_done_.wait(lock, [this] { return firing_ == nullptr; });
}

void HostClock::set(u64 guest_ns) {
    const std::lock_guard lock(mutex_);
    CHECK(frozen_ns_.load(std::memory_order_relaxed) != kRunning);
    frozen_ns_.store(guest_ns, std::memory_order_release);
}

void HostClock::resume() {
    {
        const std::lock_guard lock(mutex_);
        const u64 frozen = frozen_ns_.load(std::memory_order_relaxed);
        if (frozen == kRunning) return;
        epoch_ns_.store(monotonic_ns() - frozen, std::memory_order_relaxed);
        frozen_ns_.store(kRunning, std::memory_order_release);
    }
    changed_.notify_one();
}

u64 HostClock::calendar_seconds() const {
    return static_cast<u64>(::time(nullptr));
}

std::unique_ptr<devices::Timer> HostClock::create_timer(devices::TimerListener &listener) {
    return std::make_unique<DeadlineTimer>(*this, listener);
}

void HostClock::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (queue_.empty() || frozen_ns_.load(std::memory_order_relaxed) != kRunning) {
            changed_.wait(lock);
            continue;
        }
        const auto [deadline, timer] = *queue_.begin();
        const u64 now = now_ns();
        if (deadline > now) {
            // Bounded, so that a deadline at the end of time does not overflow the wait.
            changed_.wait_for(
                lock, std::chrono::nanoseconds(std::min<u64>(deadline - now, 3'600'000'000'000)));
            continue;
        }
        timer->remove();
        firing_ = timer;
        lock.unlock();
        timer->listener_.timer_expired();
        lock.lock();
        firing_ = nullptr;
        callback_done_.notify_all();
    }
}

} // namespace tandem::machine
