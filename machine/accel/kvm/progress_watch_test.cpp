#include "machine/accel/kvm/progress_watch.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

#include <vector>

namespace tandem::machine {
namespace {

struct ProgressWatchTest : ::testing::Test {
    devices::testing::FakeClock clock;
    u64 exits = 0;
    std::vector<std::string> told;
    ProgressWatch watch{clock, [this] { return exits; },
                        [this](const std::string &line) { told.push_back(line); }};
};

TEST_F(ProgressWatchTest, TellsOfAGuestThatIsNotHeardOf) {
    clock.advance(ProgressWatch::kPatienceNs - 1);
    EXPECT_TRUE(told.empty());
    clock.advance(1);
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(told[0].find("paravirtual"), std::string::npos);
    clock.advance(10 * ProgressWatch::kPatienceNs);
    EXPECT_EQ(told.size(), 1u);
}

TEST_F(ProgressWatchTest, LeavesOthersAlone) {
    exits = 1;
    clock.advance(10 * ProgressWatch::kPatienceNs);
    EXPECT_TRUE(told.empty());
}

} // namespace
} // namespace tandem::machine
