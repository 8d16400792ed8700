#pragma once
/// Guest time that follows the host's monotonic clock while the machine runs, and the thread that
/// fires device timers.
#include "devices/core/clock.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace tandem::machine {

class HostClock final : public devices::Clock {
public:
    HostClock();
    ~HostClock() override;

    /// Time stands still and no timer fires until resume(). Waits for a running callback.
    void pause();
    void resume();
    /// While paused: it is this late.
    void set(u64 guest_ns);

    /// monotonic_ns() when it is `guest_ns` here, if the clock runs until then.
    [[nodiscard]] u64 host_ns(u64 guest_ns) const {
        return guest_ns + epoch_ns_.load(std::memory_order_relaxed);
    }
    u64 now_ns() const override;
    u64 calendar_seconds() const override;
    std::unique_ptr<devices::Timer> create_timer(devices::TimerListener &) override;

private:
    class DeadlineTimer;
    using Entry = std::pair<u64, DeadlineTimer *>;

    void run();

    static constexpr u64 kRunning = ~u64{0};

    std::atomic<u64> epoch_ns_;             ///< monotonic_ns() at guest time 0; changed by resume()
    std::atomic<u64> frozen_ns_ = kRunning; ///< guest time while it stands still
    std::mutex mutex_;                      ///< guards all below
    std::condition_variable changed_;
    std::condition_variable callback_done_;
    std::set<Entry> queue_; ///< armed timers by deadline
    DeadlineTimer *firing_ = nullptr;
    bool stopping_ = false;
    std::thread thread_; ///< last: uses everything above
};

} // namespace tandem::machine
