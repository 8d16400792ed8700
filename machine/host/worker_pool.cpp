#include "machine/host/worker_pool.h"

namespace tandem::machine {

WorkerPool::~WorkerPool() {
    drain();
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_available_.notify_all();
    for (std::thread &thread : threads_) thread.join();
}

void WorkerPool::submit(std::span<devices::Task *const> tasks) {
    const std::lock_guard lock(mutex_);
    queue_.insert(queue_.end(), tasks.begin(), tasks.end());
    for (std::size_t waiting = queue_.size(), woken = 0; woken < waiting; ++woken) {
        if (woken < idle_) {
            work_available_.notify_one();
        } else if (threads_.size() < max_threads_) {
            threads_.emplace_back([this] { work(); });
        } else {
            break;
        }
    }
}

void WorkerPool::drain() {
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return queue_.empty() && running_ == 0; });
}

void WorkerPool::work() {
    prepare_();
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        work_available_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) return; // stopping
        devices::Task &task = *queue_.front();
        queue_.pop_front();
        ++running_;
        lock.unlock();
        task.run(); // the task may be gone now
        lock.lock();
        --running_;
        if (queue_.empty() && running_ == 0) all_done_.notify_all();
    }
}

} // namespace tandem::machine
