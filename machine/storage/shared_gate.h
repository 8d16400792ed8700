#pragma once
/// A lock for sharers or one owner, fair to owners, which std::shared_mutex need not be.
#include <condition_variable>
#include <mutex>

namespace tandem::machine {

class SharedGate {
public:
    void lock_shared() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !owned_ && waiting_ == 0; });
        ++sharers_;
    }
    [[nodiscard]] bool try_lock_shared() {
        const std::lock_guard lock(mutex_);
        if (owned_ || waiting_ != 0) return false;
        ++sharers_;
        return true;
    }
    void unlock_shared() {
        const std::lock_guard lock(mutex_);
        if (--sharers_ == 0 && waiting_ != 0) changed_.notify_all();
    }
    void lock() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.wait(lock, [this] { return !owned_ && sharers_ == 0; });
        --waiting_;
        owned_ = true;
    }
    void unlock() {
        const std::lock_guard lock(mutex_);
        owned_ = false;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned sharers_ = 0, waiting_ = 0; ///< waiting: owners to be
    bool owned_ = false;
};

} // namespace tandem::machine
