#include "machine/display/pointer_mapper.h"

#include <gtest/gtest.h>

#include <array>

namespace tandem::machine {
namespace {

using devices::InputKind;

constexpr auto kLeft = PointerMapper::bit(InputButton::Left);
constexpr auto kWheelUp = PointerMapper::bit(InputButton::WheelUp);

PointerMapper mapper_of(std::vector<InputKind> kinds) {
    return PointerMapper(kinds);
}

TEST(PointerMapper, PlacesATablet) {
    PointerMapper pointer = mapper_of({InputKind::Touch, InputKind::Mouse, InputKind::Tablet});
    EXPECT_FALSE(pointer.is_relative());
    const auto first = pointer.place(799, 0, 800, 600, kLeft);
    ASSERT_EQ(first.size(), 3u);
    EXPECT_EQ(std::get<PositionAction>(first[0]).position, devices::kInputAxisMax);
    EXPECT_EQ(std::get<PositionAction>(first[1]).position, 0u);
    EXPECT_TRUE(std::get<ButtonAction>(first[2]).down);
    const auto held = pointer.place(5000, 5000, 800, 600, kLeft);
    ASSERT_EQ(held.size(), 2u) << "the button is held";
    EXPECT_EQ(std::get<PositionAction>(held[1]).position, devices::kInputAxisMax);
    const auto turned = pointer.press(kLeft | kWheelUp);
    ASSERT_EQ(turned.size(), 1u);
    EXPECT_EQ(std::get<ButtonAction>(turned[0]).button, InputButton::WheelUp);
    EXPECT_EQ(pointer.press(kLeft).size(), 1u);
    const auto gone = pointer.release();
    ASSERT_EQ(gone.size(), 1u);
    EXPECT_FALSE(std::get<ButtonAction>(gone[0]).down);
    EXPECT_EQ(pointer.place(3, 3, 1, 0, 0).size(), 2u) << "a picture of no size";
}

TEST(PointerMapper, MovesAMouse) {
    PointerMapper pointer = mapper_of({InputKind::Keyboard, InputKind::Mouse, InputKind::Touch});
    EXPECT_TRUE(pointer.is_relative());
    EXPECT_TRUE(pointer.place(100, 100, 800, 600, 0).empty()) << "nobody knows from where";
    const auto moved = pointer.place(90, 103, 800, 600, kWheelUp);
    ASSERT_EQ(moved.size(), 3u);
    EXPECT_EQ(std::get<MoveAction>(moved[0]).by, -10);
    EXPECT_EQ(std::get<MoveAction>(moved[1]).by, 3);
    EXPECT_EQ(std::get<ButtonAction>(moved[2]).button, InputButton::WheelUp);
    const auto free = pointer.move(7, 0, 0);
    ASSERT_EQ(free.size(), 2u);
    EXPECT_EQ(std::get<MoveAction>(free[0]).by, 7);
    EXPECT_FALSE(std::get<ButtonAction>(free[1]).down);
}

TEST(PointerMapper, TouchesAScreen) {
    PointerMapper pointer = mapper_of({InputKind::Touch});
    EXPECT_TRUE(pointer.place(1, 1, 100, 100, 0).empty()) << "nothing touches it";
    const auto down = pointer.place(99, 0, 100, 100, kLeft);
    ASSERT_EQ(down.size(), 3u);
    EXPECT_EQ(std::get<TouchAction>(down[0]).kind, TouchKind::Begin);
    EXPECT_EQ(std::get<TouchAction>(down[1]).position, devices::kInputAxisMax);
    const auto moved = pointer.place(0, 0, 100, 100, kLeft);
    EXPECT_EQ(std::get<TouchAction>(moved[0]).kind, TouchKind::Update);
    EXPECT_EQ(std::get<TouchAction>(moved[0]).tracking_id,
              std::get<TouchAction>(down[0]).tracking_id);
    const auto up = pointer.place(0, 0, 100, 100, 0);
    ASSERT_EQ(up.size(), 1u);
    EXPECT_EQ(std::get<TouchAction>(up[0]).kind, TouchKind::End);
    EXPECT_TRUE(pointer.release().empty());
    const auto again = pointer.place(0, 0, 100, 100, kLeft);
    EXPECT_NE(std::get<TouchAction>(again[0]).tracking_id,
              std::get<TouchAction>(down[0]).tracking_id);
    EXPECT_TRUE(pointer.press(kWheelUp).empty());
    EXPECT_EQ(pointer.release().size(), 1u);
}

TEST(PointerMapper, HasNothingToMove) {
    PointerMapper pointer = mapper_of({InputKind::Keyboard});
    EXPECT_TRUE(pointer.place(1, 1, 100, 100, kLeft).empty());
    EXPECT_TRUE(pointer.move(1, 1, kLeft).empty());
    EXPECT_TRUE(pointer.release().empty());
}

} // namespace
} // namespace tandem::machine
