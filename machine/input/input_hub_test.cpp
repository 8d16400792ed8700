#include "machine/input/input_hub.h"

#include "machine/input/key_codes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <linux/input-event-codes.h>

namespace tandem::machine {
namespace {

using devices::InputEvent;
using devices::InputKind;
using devices::InputReport;

constexpr std::array kAll{InputKind::Touch, InputKind::Keyboard, InputKind::Mouse,
                          InputKind::Tablet};
constexpr std::size_t kTouch = 0, kKeyboard = 1, kMouse = 2, kTablet = 3;
constexpr InputEvent kEnd{EV_SYN, SYN_REPORT, 0};

class InputHubTest : public ::testing::Test {
protected:
    InputReport next(std::size_t device) {
        InputReport report;
        return hub.device(device).receive(report) ? report : InputReport{};
    }
    void send(std::vector<InputAction> actions) {
        const auto sent = hub.send(actions);
        EXPECT_TRUE(sent.has_value()) << sent.error().message;
    }
    std::string refusal(InputAction action) {
        const auto sent = hub.send(std::span(&action, 1));
        return sent.has_value() ? "" : sent.error().message;
    }
    InputHub hub{kAll};
};

TEST(KeyCodes, HaveNamesAndNumbers) {
    EXPECT_EQ(key_named("a"), KEY_A);
    EXPECT_EQ(key_named("ret"), KEY_ENTER);
    EXPECT_EQ(key_named("ac_back"), KEY_BACK);
    EXPECT_EQ(key_named("f24"), KEY_F24);
    EXPECT_FALSE(key_named("unmapped").has_value());
    EXPECT_FALSE(key_named("").has_value());
    EXPECT_EQ(key_numbered(0x1e), KEY_A);
    EXPECT_EQ(key_numbered(0x9c), KEY_KPENTER);
    for (const i64 none : {i64{0}, i64{-1}, i64{0x100}, i64{0x1001e}})
        EXPECT_FALSE(key_numbered(none).has_value()) << none;
}

TEST_F(InputHubTest, SendsEachToItsDevice) {
    send({KeyAction{KEY_A, true}, MoveAction{InputAxisName::X, -3},
          MoveAction{InputAxisName::Y, 4}});
    EXPECT_EQ(next(kKeyboard), (InputReport{{EV_KEY, KEY_A, 1}, kEnd}));
    EXPECT_EQ(next(kMouse),
              (InputReport{{EV_REL, REL_X, static_cast<u32>(-3)}, {EV_REL, REL_Y, 4}, kEnd}));
    EXPECT_TRUE(next(kTablet).empty());
    EXPECT_TRUE(next(kTouch).empty());
}

TEST_F(InputHubTest, SendsButtonsToWhatMovedLast) {
    send({ButtonAction{InputButton::Left, true}});
    EXPECT_EQ(next(kTablet), (InputReport{{EV_KEY, BTN_LEFT, 1}, kEnd}));
    send({MoveAction{InputAxisName::X, 1}, ButtonAction{InputButton::WheelDown, true},
          ButtonAction{InputButton::WheelDown, false}});
    EXPECT_EQ(next(kMouse),
              (InputReport{{EV_REL, REL_X, 1}, {EV_REL, REL_WHEEL, static_cast<u32>(-1)}, kEnd}));
    const auto pointers = hub.pointers();
    ASSERT_EQ(pointers.size(), 3u);
    EXPECT_TRUE(pointers[1].is_current);
    EXPECT_FALSE(pointers[1].is_absolute);
    EXPECT_EQ(pointers[1].index, kMouse);
}

TEST_F(InputHubTest, FollowsFingers) {
    send({TouchAction{TouchKind::Begin, 2, 7, {}, 0},
          TouchAction{TouchKind::Data, 2, 7, InputAxisName::X, 100},
          TouchAction{TouchKind::Data, 2, 7, InputAxisName::Y, 200}});
    EXPECT_EQ(next(kTouch), (InputReport{{EV_ABS, ABS_MT_SLOT, 2},
                                         {EV_ABS, ABS_MT_TRACKING_ID, 7},
                                         {EV_KEY, BTN_TOUCH, 1},
                                         {EV_ABS, ABS_MT_SLOT, 2},
                                         {EV_ABS, ABS_MT_POSITION_X, 100},
                                         {EV_ABS, ABS_X, 100},
                                         {EV_ABS, ABS_MT_SLOT, 2},
                                         {EV_ABS, ABS_MT_POSITION_Y, 200},
                                         {EV_ABS, ABS_Y, 200},
                                         kEnd}));
    send({TouchAction{TouchKind::Begin, 0, 8, {}, 0},
          TouchAction{TouchKind::Data, 0, 8, InputAxisName::X, 9}});
    EXPECT_EQ(next(kTouch), (InputReport{{EV_ABS, ABS_MT_SLOT, 0},
                                         {EV_ABS, ABS_MT_TRACKING_ID, 8},
                                         {EV_ABS, ABS_MT_SLOT, 0},
                                         {EV_ABS, ABS_MT_POSITION_X, 9},
                                         kEnd}))
        << "the other finger points";
    send({TouchAction{TouchKind::End, 2, 7, {}, 0}});
    EXPECT_EQ(next(kTouch),
              (InputReport{{EV_ABS, ABS_MT_SLOT, 2}, {EV_ABS, ABS_MT_TRACKING_ID, ~0u}, kEnd}));
    send({TouchAction{TouchKind::Cancel, 0, 8, {}, 0}});
    EXPECT_EQ(next(kTouch), (InputReport{{EV_ABS, ABS_MT_SLOT, 0},
                                         {EV_ABS, ABS_MT_TRACKING_ID, ~0u},
                                         {EV_KEY, BTN_TOUCH, 0},
                                         kEnd}));
}

TEST_F(InputHubTest, RefusesWhatMakesNoSense) {
    EXPECT_NE(refusal(PositionAction{InputAxisName::X, 0x8000}), "");
    EXPECT_NE(refusal(TouchAction{TouchKind::Begin, 10, 0, {}, 0}), "");
    EXPECT_NE(refusal(TouchAction{TouchKind::Begin, 0, 0x10000, {}, 0}), "");
    EXPECT_NE(refusal(TouchAction{TouchKind::Data, 0, 0, {}, 0x8000}), "");
    EXPECT_NE(refusal(KeyAction{BTN_LEFT, true}), "");
    EXPECT_NE(refusal(KeyAction{0xffff, true}), "");
    EXPECT_NE(refusal(KeyAction{0, true}), "");
    // Not one of them happens if one cannot.
    const std::vector<InputAction> mixed{KeyAction{KEY_A, true}, KeyAction{0xffff, true}};
    EXPECT_FALSE(hub.send(mixed).has_value());
    EXPECT_TRUE(next(kKeyboard).empty());
    InputHub none{{}};
    const InputAction key = KeyAction{KEY_A, true};
    const auto sent = none.send(std::span(&key, 1));
    ASSERT_FALSE(sent.has_value());
    EXPECT_TRUE(sent.error().message.starts_with("Input handler not found for event type key"));
}

TEST_F(InputHubTest, KeepsReportsShortAndFew) {
    send(std::vector<InputAction>(100, KeyAction{KEY_A, true}));
    std::size_t keys = 0;
    for (InputReport report = next(kKeyboard); !report.empty(); report = next(kKeyboard)) {
        EXPECT_LE(report.size(), devices::kMaxInputReport);
        EXPECT_EQ(report.back(), kEnd);
        keys += report.size() - 1;
    }
    EXPECT_EQ(keys, 100u);
    for (int i = 0; i < 1024; ++i) send({KeyAction{KEY_A, true}});
    EXPECT_NE(refusal(KeyAction{KEY_A, true}), "");
    EXPECT_EQ(refusal(MoveAction{InputAxisName::X, 1}), "");
}

TEST_F(InputHubTest, TypesChords) {
    struct Listener final : devices::InputListener {
        std::mutex mutex;
        std::condition_variable heard;
        int reports = 0;
        void reports_wait() override {
            const std::lock_guard lock(mutex);
            ++reports;
            heard.notify_one();
        }
    } listener;
    hub.device(kKeyboard).set_listener(&listener);
    ASSERT_TRUE(hub.press_keys({KEY_LEFTCTRL, KEY_C}, 1'000'000).has_value());
    ASSERT_TRUE(hub.press_keys({KEY_A}, 1'000'000).has_value());
    {
        std::unique_lock lock(listener.mutex);
        ASSERT_TRUE(listener.heard.wait_for(lock, std::chrono::seconds(60),
                                            [&] { return listener.reports == 6; }));
    }
    const auto key = [&](u16 code, u32 down) {
        EXPECT_EQ(next(kKeyboard), (InputReport{{EV_KEY, code, down}, kEnd}));
    };
    key(KEY_LEFTCTRL, 1), key(KEY_C, 1), key(KEY_C, 0), key(KEY_LEFTCTRL, 0);
    key(KEY_A, 1), key(KEY_A, 0);
    EXPECT_FALSE(hub.press_keys({KEY_A, 0xffff}, 1).has_value());
    // Ends while a key is held.
    ASSERT_TRUE(hub.press_keys({KEY_B}, InputHub::kMaxHoldNs).has_value());
    hub.device(kKeyboard).set_listener(nullptr);
}

} // namespace
} // namespace tandem::machine
