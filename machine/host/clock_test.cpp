#include "machine/host/clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace tandem::machine {
namespace {

class Listener final : public devices::TimerListener {
public:
    void timer_expired() override {
        ++count;
        count.notify_all();
    }
    std::atomic<int> count = 0;
};

TEST(HostClock, FiresInOrderAndOnce) {
    HostClock clock;
    Listener listener;
    const auto timer = clock.create_timer(listener);
    const u64 start = clock.now_ns();
    timer->arm(start + 2'000'000);
    listener.count.wait(0);
    EXPECT_GE(clock.now_ns(), start + 2'000'000);
    EXPECT_EQ(listener.count, 1);
    timer->arm(0);
    listener.count.wait(1);
    EXPECT_EQ(listener.count, 2);
}

TEST(HostClock, CancelAndReplace) {
    HostClock clock;
    Listener never;
    Listener soon;
    const auto first = clock.create_timer(never);
    const auto second = clock.create_timer(soon);
    first->arm(clock.now_ns() + 1'000'000'000'000);
    first->arm(clock.now_ns() + 5'000'000);
    first->cancel();
    second->arm(clock.now_ns() + 10'000'000);
    soon.count.wait(0);
    EXPECT_EQ(never.count, 0);
}

TEST(HostClock, StandsStillWhilePaused) {
    HostClock clock;
    Listener listener;
    const auto timer = clock.create_timer(listener);
    clock.pause();
    clock.set(5'000'000'000);
    const u64 frozen = clock.now_ns();
    EXPECT_EQ(frozen, 5'000'000'000u);
    timer->arm(frozen + 1'000'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(clock.now_ns(), frozen);
    EXPECT_EQ(listener.count, 0);
    const auto resumed = std::chrono::steady_clock::now();
    clock.resume();
    const u64 passed = clock.now_ns() - frozen;
    EXPECT_LE(std::chrono::nanoseconds(passed), std::chrono::steady_clock::now() - resumed)
        << "the pause did not count";
    listener.count.wait(0);
    EXPECT_GE(clock.now_ns(), frozen + 1'000'000);
}

} // namespace
} // namespace tandem::machine
