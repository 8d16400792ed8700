#include "devices/panic/pv_panic.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

constexpr u64 kLong = 1'000'000;

struct PvPanicTest : ::testing::Test {
    testing::FakeClock clock;
    std::vector<GuestPanic> said;
    PvPanic panic{clock, [this](GuestPanic event) { said.push_back(event); }};
};

TEST_F(PvPanicTest, IsWhatLinuxLooksFor) {
    EXPECT_EQ(panic.read_config(pci::kVendorId, 2), 0x0011'1b36u);
    EXPECT_EQ(panic.read_bar(PvPanic::kRegisterBar, 0, 0), 3u) << "both events are offered";
    panic.write_config(pci::kBars, 2, ~u32{0});
    EXPECT_EQ(panic.read_config(pci::kBars, 2), 0xffff'fff0u);
}

TEST_F(PvPanicTest, SaysWhatTheGuestSaidOnce) {
    panic.write_bar(PvPanic::kRegisterBar, 0, 0, 1);
    EXPECT_TRUE(said.empty()) << "not on the guest's own thread";
    clock.advance(kLong);
    EXPECT_EQ(said, std::vector{GuestPanic::Panicked});
    clock.advance(kLong);
    EXPECT_EQ(said.size(), 1u);
    panic.write_bar(PvPanic::kRegisterBar, 0, 0, 2);
    clock.advance(kLong);
    EXPECT_EQ(said.back(), GuestPanic::CrashLoaded);
}

TEST_F(PvPanicTest, KnowsNothingElse) {
    panic.write_bar(PvPanic::kRegisterBar, 0, 0, 0xfc);
    panic.write_bar(PvPanic::kRegisterBar, 1, 0, 1);
    panic.write_bar(PvPanic::kRegisterBar, 8, 3, ~u64{0});
    clock.advance(kLong);
    EXPECT_TRUE(said.empty());
    EXPECT_EQ(panic.read_bar(PvPanic::kRegisterBar, 4, 2), 0u);
}

TEST_F(PvPanicTest, ResetTakesItBack) {
    panic.write_bar(PvPanic::kRegisterBar, 0, 0, 1);
    panic.reset();
    clock.advance(kLong);
    EXPECT_TRUE(said.empty());
}

TEST_F(PvPanicTest, SaysItAfterASnapshot) {
    panic.write_bar(PvPanic::kRegisterBar, 0, 0, 1);
    StateWriter writer;
    panic.save(writer);
    testing::FakeClock later;
    std::vector<GuestPanic> heard;
    PvPanic other{later, [&](GuestPanic event) { heard.push_back(event); }};
    StateReader reader(writer.data());
    ASSERT_TRUE(other.restore(reader).has_value());
    later.advance(kLong);
    EXPECT_EQ(heard, std::vector{GuestPanic::Panicked});
}

} // namespace
} // namespace tandem::devices
