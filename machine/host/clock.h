#pragma once
/// Guest time that follows the host's monotonic clock, and the thread that fires device timers.
#include "devices/core/clock.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace tandem::machine {

class HostClock final : public devices::Clock {
public:
    HostClock();
    ~HostClock() override;

    /// monotonic_ns() at guest time 0.
    [[nodiscard]] u64 epoch_ns() const { return start_ns_; }
    u64 now_ns() const override;
    u64 calendar_seconds() const override;
    std::unique_ptr<devices::Timer> create_timer(devices::TimerListener &) override;

private:
    class DeadlineTimer;
    using Entry = std::pair<u64, DeadlineTimer *>;

    void run();

    u64 start_ns_;
    std::mutex mutex_; ///< guards all below
    std::condition_variable changed_;
    std::condition_variable callback_done_;
    std::set<Entry> queue_; ///< armed timers by deadline
    DeadlineTimer *firing_ = nullptr;
    bool stopping_ = false;
    std::thread thread_; ///< last: uses everything above
};

} // namespace tandem::machine
