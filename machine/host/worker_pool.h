#pragma once
/// Threads that run tasks: started when first needed, a few at most.
#include "devices/backend/task_queue.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem::machine {

class WorkerPool final : public devices::TaskQueue {
public:
    /// Each thread calls `prepare` first.
    WorkerPool(unsigned max_threads, std::function<void()> prepare)
        : max_threads_(max_threads), prepare_(std::move(prepare)) {}
    /// Runs what was submitted.
    ~WorkerPool() override;

    void submit(std::span<devices::Task *const> tasks) override;
    void drain() override;

private:
    void work();

    unsigned max_threads_;
    std::function<void()> prepare_;
    std::mutex mutex_; ///< guards all below
    std::condition_variable work_available_;
    std::condition_variable all_done_;
    std::deque<devices::Task *> queue_;
    unsigned running_ = 0; ///< tasks taken by threads
    unsigned idle_ = 0;    ///< threads that wait
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

} // namespace tandem::machine
