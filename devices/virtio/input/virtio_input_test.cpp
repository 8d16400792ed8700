#include "devices/virtio/input/virtio_input.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;
using virtio_input::Event;
using virtio_input::Select;

class VirtioInputTest : public ::testing::Test {
protected:
    static constexpr u64 kConfig = 0x100;

    /// The value that is selected; empty if the device has none.
    std::vector<u8> value(Select select, u8 subselect = 0) {
        driver.write(kConfig, static_cast<u64>(select), 0);
        driver.write(kConfig + 1, subselect, 0);
        std::vector<u8> bytes(driver.read(kConfig + 2, 0));
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] = static_cast<u8>(driver.read(kConfig + 8 + i, 0));
        return bytes;
    }
    std::string text(Select select) {
        const auto bytes = value(select);
        return {bytes.begin(), bytes.end()};
    }
    /// Offers a buffer for the n-th event.
    void offer(u16 n, u32 length = sizeof(Event)) {
        const u16 head = n % VirtioDriver::kQueueSize;
        driver.chain(VirtioDriver::base(VirtioInput::kEventQueue), head,
                     {{VirtioDriver::kData + head * 8, length, true}});
        driver.offer(VirtioInput::kEventQueue, head);
    }
    Event event(u16 n) {
        const auto used = driver.used(VirtioInput::kEventQueue, n);
        EXPECT_EQ(used.written, sizeof(Event));
        return memory.get<Event>(VirtioDriver::kData + used.head * 8);
    }
    [[nodiscard]] u16 count() { return driver.used_index(VirtioInput::kEventQueue); }
    static InputReport press(u16 key, u32 down = 1) {
        return {{EV_KEY, key, down}, {EV_SYN, SYN_REPORT, 0}};
    }

    testing::FakeMemory memory{0x20000};
    testing::FakeIrqSink irq;
    testing::FakeInput hands;
    std::unique_ptr<VirtioMmio> slot = std::make_unique<VirtioMmio>(
        "virtio0", std::make_unique<VirtioInput>(hands, InputKind::Keyboard, "serial"), memory,
        irq.line());
    VirtioDriver driver{*slot, memory};
};

TEST_F(VirtioInputTest, SaysWhatItIs) {
    EXPECT_EQ(text(Select::Name), "Tandem Virtio Keyboard");
    EXPECT_EQ(text(Select::Serial), "serial");
    const auto ids = value(Select::DeviceIds);
    ASSERT_EQ(ids.size(), 8u);
    EXPECT_EQ(ids[0], 6) << "BUS_VIRTUAL";
    const auto keys = value(Select::EventBits, EV_KEY);
    ASSERT_EQ(keys.size(), KEY_MICMUTE / 8 + 1u);
    EXPECT_NE(keys[KEY_A / 8] & 1 << KEY_A % 8, 0);
    EXPECT_EQ(keys[0] & 1, 0) << "KEY_RESERVED";
    EXPECT_EQ(value(Select::EventBits, EV_LED), std::vector<u8>{7});
    EXPECT_EQ(value(Select::EventBits, EV_REP), std::vector<u8>{3});
    EXPECT_TRUE(value(Select::EventBits, EV_ABS).empty());
    EXPECT_TRUE(value(Select::AxisInfo, ABS_X).empty());
    EXPECT_TRUE(value(Select::Name, 1).empty());
    EXPECT_TRUE(value(static_cast<Select>(0x55)).empty());
}

TEST(VirtioInputKinds, SayWhatTheyHave) {
    const InputProfile &touch = profile_of(InputKind::Touch);
    EXPECT_EQ(touch.name, "Tandem Virtio MultiTouch");
    EXPECT_TRUE(codes_of(touch, EV_ABS).test(ABS_MT_SLOT));
    EXPECT_TRUE(codes_of(touch, EV_KEY).test(BTN_TOUCH));
    EXPECT_TRUE(codes_of(profile_of(InputKind::Mouse), EV_REL).test(REL_WHEEL));
    EXPECT_EQ(codes_of(profile_of(InputKind::Tablet), EV_ABS).count(), 2u);
    for (const auto &[name, kind] : kInputKinds) {
        EXPECT_TRUE(codes_of(profile_of(kind), EV_FF).none()) << name;
        EXPECT_TRUE(codes_of(profile_of(kind), 0xff).none()) << name;
        EXPECT_EQ(name_of(kind), name);
    }
}

TEST_F(VirtioInputTest, PassesOnWhatHappens) {
    hands.happen(press(KEY_A));
    EXPECT_EQ(hands.waiting(), 0u) << "without a driver it is nobody's business";
    driver.start(2);
    hands.happen(press(KEY_B));
    EXPECT_EQ(count(), 0) << "no buffers yet";
    offer(0);
    driver.notify(VirtioInput::kEventQueue);
    ASSERT_EQ(count(), 1);
    EXPECT_EQ(event(0).code, KEY_B);
    for (u16 n = 1; n < 4; ++n) offer(n);
    driver.notify(VirtioInput::kEventQueue);
    ASSERT_EQ(count(), 2);
    EXPECT_EQ(event(1).type, EV_SYN);
    hands.happen(press(KEY_B, 0));
    ASSERT_EQ(count(), 4);
    EXPECT_EQ(event(2).code, KEY_B);
    EXPECT_EQ(event(2).value, 0u);
    EXPECT_EQ(event(3).type, EV_SYN);
}

TEST_F(VirtioInputTest, GoesOnInTheMiddleOfAReport) {
    driver.start(2);
    offer(0);
    hands.happen(press(KEY_A));
    ASSERT_EQ(count(), 1);
    StateWriter writer;
    slot->save(writer);
    offer(1);
    driver.notify(VirtioInput::kEventQueue);
    ASSERT_EQ(count(), 2);
    StateReader reader(writer.data());
    ASSERT_TRUE(slot->restore(reader).has_value());
    driver.notify(VirtioInput::kEventQueue);
    EXPECT_EQ(event(1).type, EV_SYN);
}

TEST_F(VirtioInputTest, SkipsBuffersThatAreTooSmall) {
    driver.start(2);
    offer(0, 4);
    offer(1);
    offer(2);
    hands.happen(press(KEY_A));
    ASSERT_EQ(count(), 3);
    EXPECT_EQ(driver.used(VirtioInput::kEventQueue, 0).written, 0u);
    EXPECT_EQ(event(1).code, KEY_A);
    EXPECT_EQ(event(2).type, EV_SYN);
}

TEST_F(VirtioInputTest, TellsOfLights) {
    driver.start(2);
    const auto set = [&](Event light) {
        memory.put(VirtioDriver::kData, light);
        driver.send(VirtioInput::kStatusQueue, 0, {{VirtioDriver::kData, sizeof light, false}});
    };
    set({EV_LED, LED_CAPSL, 1});
    EXPECT_EQ(hands.lights, 1u << LED_CAPSL);
    set({EV_LED, LED_NUML, 1});
    EXPECT_EQ(hands.lights, 1u << LED_CAPSL | 1u << LED_NUML);
    set({EV_LED, LED_MUTE, 1});
    set({EV_LED, 0xfff0, 1});
    set({EV_KEY, LED_SCROLLL, 1});
    EXPECT_EQ(hands.lights, 1u << LED_CAPSL | 1u << LED_NUML) << "it has no others";
    set({EV_LED, LED_CAPSL, 0});
    EXPECT_EQ(hands.lights, 1u << LED_NUML);
    EXPECT_EQ(driver.used_index(VirtioInput::kStatusQueue), 6);
    driver.write(0x070, 0);
    EXPECT_EQ(hands.lights, 0u) << "a reset switches them off";
}

} // namespace
} // namespace tandem::devices
