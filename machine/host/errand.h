#pragma once
/// A thread that does one thing whenever it is asked to, for those who may not wait for it.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace tandem::machine {

class Errand {
public:
    explicit Errand(std::function<void()> work) : work_(std::move(work)) {}

    /// Any thread; returns at once. What is asked for again before it has begun is done once.
    void ask() {
        {
            const std::lock_guard lock(mutex_);
            is_wanted_ = true;
        }
        wanted_.notify_one();
    }

private:
    void run(const std::stop_token &stop) {
        std::unique_lock lock(mutex_);
        while (wanted_.wait(lock, stop, [this] { return is_wanted_; })) {
            is_wanted_ = false;
            lock.unlock();
            work_();
            lock.lock();
        }
    }

    std::function<void()> work_;
    std::mutex mutex_;
    std::condition_variable_any wanted_;
    bool is_wanted_ = false; ///< guarded by mutex_
    std::jthread thread_{[this](const std::stop_token &stop) { run(stop); }};
};

} // namespace tandem::machine
