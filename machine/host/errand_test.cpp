#include "machine/host/errand.h"

#include <gtest/gtest.h>

#include <chrono>
#include <semaphore>

namespace tandem::machine {
namespace {

constexpr std::chrono::seconds kPatience{60};

TEST(Errand, IsDoneForEachTimeItIsAskedFor) {
    std::counting_semaphore<> done{0};
    Errand errand([&] { done.release(); });
    for (int i = 0; i < 3; ++i) {
        errand.ask();
        ASSERT_TRUE(done.try_acquire_for(kPatience));
    }
    EXPECT_FALSE(done.try_acquire()) << "not once more than that";
}

TEST(Errand, WhoAsksDoesNotWait) {
    std::binary_semaphore begun{0}, may_end{0}, ended{0};
    {
        Errand errand([&] {
            begun.release();
            may_end.acquire();
            ended.release();
        });
        errand.ask();
        ASSERT_TRUE(begun.try_acquire_for(kPatience));
        errand.ask(); // while it is under way
        may_end.release();
        ASSERT_TRUE(ended.try_acquire_for(kPatience));
        ASSERT_TRUE(begun.try_acquire_for(kPatience))
            << "what was asked for meanwhile is done, too";
        may_end.release();
    }
    EXPECT_TRUE(ended.try_acquire()) << "its owner waits for it";
}

TEST(Errand, EndsWithoutHavingBeenAsked) {
    bool done = false;
    {
        Errand errand([&] { done = true; });
    }
    EXPECT_FALSE(done);
}

} // namespace
} // namespace tandem::machine
