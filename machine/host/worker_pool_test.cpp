#include "machine/host/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace tandem::machine {
namespace {

struct Counting final : devices::Task {
    explicit Counting(std::atomic<int> &count) : count(count) {}
    void run() override { ++count; }
    std::atomic<int> &count;
};

/// Ends when as many run at once as the latch counts.
struct Meeting final : devices::Task {
    explicit Meeting(std::latch &latch) : latch(latch) {}
    void run() override { latch.arrive_and_wait(); }
    std::latch &latch;
};

TEST(WorkerPool, RunsEveryTaskOnce) {
    std::atomic<int> count = 0, prepared = 0;
    Counting task(count);
    {
        WorkerPool pool(3, [&] { ++prepared; });
        for (int i = 0; i < 100; ++i) {
            devices::Task *const tasks[] = {&task, &task};
            pool.submit(tasks);
        }
        pool.drain();
        EXPECT_EQ(count, 200);
        devices::Task *const last[] = {&task};
        pool.submit(last);
    }
    EXPECT_EQ(count, 201);
    EXPECT_GE(prepared, 1);
    EXPECT_LE(prepared, 3);
}

TEST(WorkerPool, RunsThemSideBySide) {
    std::latch latch(3);
    Meeting task(latch);
    WorkerPool pool(3, [] {});
    devices::Task *const tasks[] = {&task, &task};
    pool.submit(tasks);
    pool.submit(std::span(tasks).first(1));
    pool.drain();
    EXPECT_TRUE(latch.try_wait());
}

} // namespace
} // namespace tandem::machine
