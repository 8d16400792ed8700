#include "machine/screen/screen_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tandem::machine {
namespace {

using devices::DisplayRectangle;

struct Drawing {
    std::vector<u32> pixels;
    DisplayRectangle part;

    Drawing(const DisplayRectangle &where, u32 colour)
        : pixels(std::size_t{where.width} * where.height, colour), part(where) {}
    void onto(Screen &screen, u32 output = 0) const {
        screen.update(
            output, part,
            {.bytes = std::as_bytes(std::span(pixels)), .stride = part.width * sizeof(u32)});
    }
};

class ScreenWatchTest : public ::testing::Test {
protected:
    Screen screen{2};
    int told = 0;
    ScreenWatch watch{screen, [this] { ++told; }};
    Picture copy;
};

TEST_F(ScreenWatchTest, FollowsAPicture) {
    const ScreenChanges first = watch.look(0, copy);
    EXPECT_TRUE(first.size && first.cursor && first.cursor_place);
    EXPECT_TRUE(first.parts.empty()) << "nothing is shown";
    EXPECT_FALSE(watch.look(0, copy).any());
    EXPECT_EQ(told, 0);

    screen.show(0, 40, 30);
    Drawing({1, 2, 3, 4}, 0x123456).onto(screen);
    EXPECT_EQ(told, 1) << "it has not looked since";
    const ScreenChanges shown = watch.look(0, copy);
    EXPECT_TRUE(shown.size);
    EXPECT_EQ(shown.parts, (std::vector<DisplayRectangle>{{0, 0, 40, 30}}));
    EXPECT_EQ(copy.pixels, screen.picture(0).pixels);

    Drawing({10, 10, 5, 5}, 0xabcdef).onto(screen);
    Drawing({11, 11, 2, 2}, 0x00ff00).onto(screen);
    Drawing({39, 29, 1, 1}, 0x0000ff).onto(screen);
    EXPECT_EQ(told, 2);
    const ScreenChanges drawn = watch.look(0, copy);
    EXPECT_FALSE(drawn.size);
    EXPECT_EQ(drawn.parts, (std::vector<DisplayRectangle>{{10, 10, 5, 5}, {39, 29, 1, 1}}));
    EXPECT_EQ(copy.pixels, screen.picture(0).pixels);

    screen.show(0, 40, 30);
    EXPECT_FALSE(watch.look(0, copy).any()) << "the same size";
    screen.show(0, 0, 0);
    EXPECT_TRUE(watch.look(0, copy).size);
    EXPECT_TRUE(copy.is_empty());
}

TEST_F(ScreenWatchTest, TellsOfEachOutputAndTheCursor) {
    Picture other;
    EXPECT_TRUE(watch.look(0, copy).any());
    EXPECT_TRUE(watch.look(1, other).any());
    screen.show(1, 8, 8);
    screen.move_cursor(0, 3, 4);
    EXPECT_EQ(told, 2);
    EXPECT_TRUE(watch.look(1, other).size);
    const ScreenChanges moved = watch.look(0, copy);
    EXPECT_TRUE(moved.cursor_place);
    EXPECT_FALSE(moved.cursor || moved.size);
    screen.set_cursor(0, 0, 0, {});
    EXPECT_TRUE(watch.look(0, copy).cursor);
}

TEST_F(ScreenWatchTest, KeepsFewParts) {
    screen.show(0, 100, 100);
    EXPECT_TRUE(watch.look(0, copy).any());
    for (u32 i = 0; i < 40; ++i) Drawing({2 * i + 1, i + 5, 1, 1}, i + 1).onto(screen);
    const ScreenChanges changes = watch.look(0, copy);
    EXPECT_LE(changes.parts.size(), 16u);
    EXPECT_EQ(copy.pixels, screen.picture(0).pixels);
}

TEST_F(ScreenWatchTest, IsOneOfSeveral) {
    Picture other;
    int other_told = 0;
    {
        ScreenWatch second(screen, [&] { ++other_told; });
        EXPECT_TRUE(second.look(0, other).any());
        screen.show(0, 4, 4);
        EXPECT_TRUE(second.look(0, other).size);
        EXPECT_TRUE(watch.look(0, copy).size);
        EXPECT_EQ(copy.pixels, other.pixels);
    }
    screen.show(0, 5, 5);
    EXPECT_EQ(other_told, 1);
}

TEST_F(ScreenWatchTest, SeesTheLastPictureWhileOthersDraw) {
    std::atomic<bool> is_over = false;
    std::thread device([&] {
        for (u32 i = 1; i <= 300; ++i) {
            screen.show(0, 500 + i % 7, 400);
            Drawing({i % 400, i % 300, 100, 100}, i).onto(screen);
        }
        is_over = true;
    });
    const auto look = [&] {
        const ScreenChanges changes = watch.look(0, copy);
        for (const DisplayRectangle &part : changes.parts) {
            EXPECT_LE(part.x + part.width, copy.width);
            EXPECT_LE(part.y + part.height, copy.height);
        }
    };
    while (!is_over) look();
    device.join();
    look();
    EXPECT_EQ(copy.width, screen.picture(0).width);
    EXPECT_EQ(copy.pixels, screen.picture(0).pixels);
}

} // namespace
} // namespace tandem::machine
