#include "devices/core/state.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

struct Example {
    static constexpr u32 kVersion = 2;
    u32 number = 0;
    bool flag = false;
    std::array<u16, 3> values{};
    std::vector<u8> bytes;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.number, self.flag, self.values, self.bytes);
    }
};

TEST(State, RoundTrips) {
    StateWriter writer;
    save_state(writer, "one", Example{7, true, {1, 2, 3}, {4, 5}});
    save_state(writer, "two", Example{});
    StateReader reader(writer.data());
    Example example;
    ASSERT_TRUE(restore_state(reader, "one", example).has_value());
    EXPECT_EQ(example.number, 7u);
    EXPECT_TRUE(example.flag);
    EXPECT_EQ(example.values, (std::array<u16, 3>{1, 2, 3}));
    EXPECT_EQ(example.bytes, (std::vector<u8>{4, 5}));
    EXPECT_TRUE(restore_state(reader, "two", example).has_value());
    EXPECT_FALSE(restore_state(reader, "three", example).has_value());
}

TEST(State, RefusesOtherNamesVersionsAndLengths) {
    StateWriter writer;
    save_state(writer, "one", Example{});
    Example example;
    StateReader misnamed(writer.data());
    EXPECT_FALSE(restore_state(misnamed, "two", example).has_value());
    StateReader newer(writer.data());
    EXPECT_FALSE(newer.begin_section("one", 1).has_value());
    StateReader unread(writer.data());
    ASSERT_EQ(unread.begin_section("one", 2).value(), 2u);
    EXPECT_FALSE(unread.end_section().has_value());
    for (std::size_t length = 0; length < writer.data().size(); ++length) {
        StateReader truncated(writer.data().first(length));
        EXPECT_FALSE(restore_state(truncated, "one", example).has_value());
    }
}

} // namespace
} // namespace tandem::devices
