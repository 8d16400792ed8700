#include "devices/pcie/host_bridge.h"

#include "devices/testing/gadget.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::Doorbell;
using testing::Gadget;

/// A bridge with two ports, the second of which the driver has set up: bus 5, windows, events.
class RootPortTest : public ::testing::Test {
protected:
    static constexpr u64 kPort = 31 << 15 | 1 << 12, kBelow = 5 << 20;
    static constexpr u64 kMemory = 0x1000'0000, kHigh = 0x80'0000'0000;
    // Where the capabilities are.
    static constexpr u64 kMsixControl = kPort + 0x42, kExpress = kPort + 0x4c;
    static constexpr u64 kLinkControl = kExpress + 0x10, kLinkStatus = kExpress + 0x12,
                         kSlotControl = kExpress + 0x18, kSlotStatus = kExpress + 0x1a;
    static constexpr u64 kOn = 0x01c0, kOff = 0x07c0, kBlinks = 0x02c0, kEvents = 0x1039;
    static constexpr u64 kPdc = 8, kButton = 1, kCompleted = 0x10, kPds = 0x40, kDllsc = 0x100;

    RootPortTest() {
        set_config(kPort + 0x18, 0x050500);
        set_config(kPort + 0x20, 0x1010'1000); // 0x10000000 to 0x101fffff
        set_config(kPort + 0x24, 0x0010'0000); // 0x80_00000000 to 0x80_001fffff
        set_config(kPort + 0x28, 0x80);
        set_config(kPort + 0x2c, 0x80);
        set_config(kPort + 4, 6, 1);
        set_config(kPort + 0x10, 0x1030'0000); // MSI-X
        set_config(kMsixControl, 0x8000, 1);
        for (const auto &[offset, value] : {std::pair{0x0, 0x08080040u}, {0x8, 77u}, {0xc, 0u}})
            EXPECT_TRUE(bridge.memory().write(0x30'0000 + static_cast<u64>(offset), 2, value));
        set_config(kSlotStatus, 0xffff, 1);
        set_config(kSlotControl, kOff | kEvents, 1);
        set_config(kSlotStatus, 0xffff, 1);
        doorbell.messages.clear();
    }
    Gadget &plug(RootPort::Plugged how = RootPort::Plugged::Hot) {
        auto owned = std::make_unique<Gadget>();
        Gadget &gadget = *owned;
        bridge.port(1).plug(std::move(owned), how);
        return gadget;
    }
    /// As a driver does: power, addresses, memory and bus master.
    Gadget &plug_and_start() {
        Gadget &gadget = plug();
        set_config(kSlotControl, kOn | kEvents, 1);
        set_config(kSlotStatus, 0xffff, 1);
        set_config(kBelow + 0x10, 0x1001'0000);
        set_config(kBelow + 0x14, 0x1001'1000);
        set_config(kBelow + 4, 6, 1);
        doorbell.messages.clear();
        return gadget;
    }
    u64 config(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(bridge.ecam().read(offset, size_log2, value));
        return value;
    }
    void set_config(u64 offset, u64 value, unsigned size_log2 = 2) {
        EXPECT_TRUE(bridge.ecam().write(offset, size_log2, value));
    }
    u64 peek(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(bridge.memory().read(offset, 2, value));
        return value;
    }
    static PcieHostBridge::Config layout() {
        return {.ecam = {0x40'1000'0000, 0x1000'0000},
                .memory = {kMemory, 0x2eff'0000},
                .io = {0x3eff'0000, 0x10000},
                .high_memory = {kHigh, 0x80'0000'0000},
                .first_spi = 3,
                .ports = 2};
    }

    testing::FakeIrqSink irq;
    Doorbell doorbell;
    std::vector<std::pair<u32, SlotAnswer>> answers;
    PcieHostBridge bridge{layout(), irq, &doorbell, [this](u32 port, SlotAnswer answer) {
                              answers.emplace_back(port, answer);
                          }};
};

TEST_F(RootPortTest, IsABridgeWithASlot) {
    EXPECT_EQ(config(kPort), 0x000c1b36u);
    EXPECT_EQ(config(kPort + 8), 0x06040000u);
    EXPECT_EQ(config(kPort + 0xe, 0), 0x81u) << "one of several functions, with a bridge's header";
    EXPECT_EQ(config(kPort + 0x1000), 0xffffffffu) << "there are two";
    EXPECT_EQ(config(kPort + 0x34, 0), 0x40u);
    EXPECT_EQ(config(kExpress, 1), 0x0010u) << "the last capability";
    EXPECT_EQ(config(kExpress + 2, 1), 0x142u) << "version 2, root port, slot";
    EXPECT_EQ(config(kExpress + 0xc) >> 20 & 1, 1u) << "says whether the link is active";
    EXPECT_EQ(config(kExpress + 0x14), 0x0008007bu) << "slot 1";
    EXPECT_EQ(config(kSlotStatus, 1), 0u) << "empty";
    set_config(kPort + 0x1c, 0xffff, 1);
    EXPECT_EQ(config(kPort + 0x1c, 1), 0u) << "no window of I/O space";
    set_config(kPort + 0x24, 0xffffffff);
    EXPECT_EQ(config(kPort + 0x24), 0xfff1fff1u) << "64 bits";
}

TEST_F(RootPortTest, APluggedFunctionIsToldOfAndPoweredByTheGuest) {
    EXPECT_EQ(config(kBelow), 0xffffffffu);
    plug();
    EXPECT_EQ(config(kSlotStatus, 1), kPds | kPdc | kButton);
    ASSERT_EQ(doorbell.messages.size(), 1u) << "one for both events";
    EXPECT_EQ(doorbell.messages[0], (Doorbell::Message{31 << 3 | 1, 0x08080040, 77}));
    EXPECT_EQ(config(kBelow), 0xffffffffu) << "no power";
    EXPECT_EQ(config(kLinkStatus, 1), 0u);
    set_config(kSlotStatus, kPdc | kButton, 1);
    set_config(kSlotControl, kOn | kEvents, 1);
    EXPECT_EQ(config(kSlotStatus, 1), kPds | kDllsc | kCompleted);
    EXPECT_EQ(doorbell.messages.size(), 2u);
    EXPECT_EQ(config(kLinkStatus, 1), 0x2104u);
    EXPECT_EQ(config(kBelow), 0x56781234u);
    EXPECT_EQ(config(kBelow + (1 << 15)), 0xffffffffu) << "one device on the bus";
    EXPECT_EQ(config(kBelow + 0x1000), 0xffffffffu) << "with one function";
    EXPECT_EQ(config(kBelow + 0x4c + 2, 1), 2u) << "an endpoint";
    set_config(kPort + 0x18, 0x070600);
    EXPECT_EQ(config(kBelow), 0xffffffffu);
    EXPECT_EQ(config(6 << 20), 0x56781234u);
    EXPECT_EQ(config(7 << 20), 0xffffffffu) << "nothing behind it";
    set_config(kPort + 0x18, 0x040600);
    EXPECT_EQ(config(6 << 20), 0xffffffffu) << "the last bus before the first";
}

TEST_F(RootPortTest, AFunctionFromTheStartHasPower) {
    plug(RootPort::Plugged::Cold);
    EXPECT_EQ(config(kSlotStatus, 1), kPds);
    EXPECT_EQ(config(kBelow), 0x56781234u);
    EXPECT_TRUE(doorbell.messages.empty());
    bridge.ecam().reset();
    EXPECT_EQ(config(kSlotControl, 1), kOn);
    EXPECT_EQ(config(kSlotStatus, 1), kPds);
    EXPECT_EQ(config(kPort - 0x1000 + 0x4c + 0x18, 1), kOff) << "the empty slot";
}

TEST_F(RootPortTest, ForwardsWhatLiesInItsWindows) {
    Gadget &gadget = plug_and_start();
    EXPECT_EQ(peek(0x1'0004), 4u);
    set_config(kBelow + 0x18, 0);
    set_config(kBelow + 0x1c, 0x80);
    u64 value = 0;
    EXPECT_TRUE(bridge.high_memory().read(0x1f'ff08, 2, value));
    EXPECT_EQ(value, 0x20008u);
    EXPECT_TRUE(bridge.high_memory().read(0x20'0008, 2, value));
    EXPECT_EQ(value, 0xffffffffu) << "the register's range goes on, the window does not";
    set_config(kBelow + 0x18, 0x4); // below the window: 8 GiB before
    set_config(kBelow + 0x1c, 0x7e);
    EXPECT_TRUE(bridge.high_memory().read(0x8, 2, value));
    EXPECT_EQ(value, 0xffffffffu);
    set_config(kPort + 0x20, 0x1010'1010); // begins behind the register
    EXPECT_EQ(peek(0x1'0004), 0xffffffffu);
    set_config(kPort + 0x20, 0x1010'1000);
    EXPECT_EQ(peek(0x1'0004), 4u);
    set_config(kPort + 0x20, 0x1000'1010); // closed
    EXPECT_EQ(peek(0x1'0004), 0xffffffffu);
    set_config(kPort + 0x20, 0x1010'1000);
    set_config(kPort + 4, 4, 1);
    EXPECT_EQ(peek(0x1'0004), 0xffffffffu) << "the port's memory space is off";
    EXPECT_EQ(gadget.resets, 0);
}

TEST_F(RootPortTest, InterruptsAndMessagesPassThePort) {
    Gadget &gadget = plug_and_start();
    gadget.ring(true);
    EXPECT_TRUE(irq.level(6)) << "as the port's own: device 31, INTA";
    gadget.ring(false);
    EXPECT_FALSE(irq.level(6));
    EXPECT_TRUE(bridge.memory().write(0x1'1000, 3, 0x08080040));
    EXPECT_TRUE(bridge.memory().write(0x1'1008, 2, 5));
    EXPECT_TRUE(bridge.memory().write(0x1'100c, 2, 0));
    set_config(kBelow + 0x42, 0x8000, 1);
    gadget.message(0);
    ASSERT_EQ(doorbell.messages.size(), 1u);
    EXPECT_EQ(doorbell.messages[0], (Doorbell::Message{5 << 8, 0x08080040, 5}));
    set_config(kPort + 4, 2, 1); // the port is no bus master
    gadget.message(0);
    EXPECT_EQ(doorbell.messages.size(), 1u);
    const int openings = gadget.openings;
    set_config(kPort + 4, 6, 1);
    EXPECT_EQ(doorbell.messages.size(), 2u) << "it has waited";
    EXPECT_EQ(gadget.openings, openings + 1);
}

TEST_F(RootPortTest, EventsInterruptByThePinWithoutMessages) {
    set_config(kMsixControl, 0, 1);
    plug();
    EXPECT_TRUE(irq.level(6));
    set_config(kSlotStatus, kPdc, 1);
    EXPECT_TRUE(irq.level(6)) << "the button is left";
    set_config(kSlotStatus, kButton, 1);
    EXPECT_FALSE(irq.level(6));
    set_config(kSlotControl, kOff | (kEvents & ~0x20u), 1);
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::IsReleased);
    set_config(kSlotControl, kOn, 1);
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::Pressed);
    EXPECT_FALSE(irq.level(6)) << "interrupts are off";
}

TEST_F(RootPortTest, TheGuestLetsGoWhenAsked) {
    Gadget &gadget = plug_and_start();
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::Pressed);
    EXPECT_EQ(config(kSlotStatus, 1), kPds | kButton);
    EXPECT_EQ(doorbell.messages.size(), 1u);
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::Pressed) << "it may be asked again";
    set_config(kSlotStatus, kButton, 1);
    set_config(kSlotControl, kBlinks | kEvents, 1);
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::Busy);
    EXPECT_TRUE(answers.empty());
    set_config(kSlotControl, kBlinks | kEvents | 0x400, 1); // power off, then the indicator
    EXPECT_EQ(gadget.resets, 1) << "nothing goes on without power";
    EXPECT_EQ(config(kBelow), 0xffffffffu);
    EXPECT_TRUE(answers.empty());
    set_config(kSlotControl, kOff | kEvents, 1);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0], (std::pair{1u, SlotAnswer::Released}));
    set_config(kSlotStatus, 0xffff, 1);
    EXPECT_NE(bridge.port(1).unplug(), nullptr);
    EXPECT_EQ(bridge.port(1).below(), nullptr);
    EXPECT_EQ(config(kSlotStatus, 1), kPdc);
    plug();
    set_config(kSlotControl, kOff | kEvents, 1);
    EXPECT_EQ(answers.size(), 1u) << "nobody has asked for this one";
}

TEST_F(RootPortTest, TheGuestRefuses) {
    plug_and_start();
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::Pressed);
    set_config(kSlotControl, kOn | kEvents, 1);
    EXPECT_TRUE(answers.empty()) << "it has not even blinked";
    set_config(kSlotControl, kBlinks | kEvents, 1);
    set_config(kSlotControl, kOn | kEvents, 1);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0], (std::pair{1u, SlotAnswer::Refused}));
    set_config(kSlotControl, kOff | kEvents, 1);
    EXPECT_EQ(answers.size(), 1u) << "this is the guest's own affair";
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::IsReleased);
}

TEST_F(RootPortTest, ResetsWhatIsBelow) {
    Gadget &gadget = plug_and_start();
    set_config(kPort + 0x3e, 0x40, 1);
    EXPECT_EQ(gadget.resets, 1);
    EXPECT_EQ(config(kBelow), 0xffffffffu) << "in reset";
    set_config(kPort + 0x3e, 0x40, 1);
    EXPECT_EQ(gadget.resets, 1);
    set_config(kPort + 0x3e, 0, 1);
    EXPECT_EQ(config(kBelow), 0x56781234u);
    EXPECT_EQ(config(kBelow + 0x10), 0u);
    set_config(kLinkControl, 0x10, 1);
    EXPECT_EQ(gadget.resets, 2);
    EXPECT_EQ(config(kBelow), 0xffffffffu);
    EXPECT_EQ(config(kLinkStatus, 1), 0u);
    set_config(kLinkControl, 0, 1);
    EXPECT_EQ(config(kBelow), 0x56781234u);
    set_config(kBelow + 0x54, 0x8000, 1); // device control: function-level reset
    EXPECT_EQ(gadget.resets, 3);
    EXPECT_EQ(config(kBelow + 0x54, 1), 0x2810u);
    set_config(kBelow + 0x55, 0x80, 0);
    set_config(kBelow + 0x54, 0x8000);
    EXPECT_EQ(gadget.resets, 5) << "by any width";
    set_config(kBelow + 0x54, 0x7fff, 1);
    EXPECT_EQ(gadget.resets, 5);
    set_config(kExpress + 8, 0x8000, 1);
    EXPECT_EQ(gadget.resets, 5) << "a port has none";
}

TEST_F(RootPortTest, SavesWhatTheSlotIsAndWhoWaits) {
    plug_and_start();
    EXPECT_EQ(bridge.port(1).press_button(), RootPort::Button::Pressed);
    set_config(kSlotControl, kOff | kEvents, 1);
    StateWriter writer;
    bridge.ecam().save(writer);
    answers.clear();

    PcieHostBridge other{layout(), irq, nullptr, [this](u32 port, SlotAnswer answer) {
                             answers.emplace_back(port, answer);
                         }};
    StateReader empty(writer.data());
    EXPECT_FALSE(other.ecam().restore(empty).has_value()) << "it has nothing in the slot";
    other.port(1).plug(std::make_unique<Gadget>(), RootPort::Plugged::Cold);
    StateReader reader(writer.data());
    ASSERT_TRUE(other.ecam().restore(reader).has_value());
    StateWriter again;
    other.ecam().save(again);
    EXPECT_TRUE(std::ranges::equal(writer.data(), again.data()));
    EXPECT_TRUE(answers.empty());
    other.ecam().resume();
    ASSERT_EQ(answers.size(), 1u) << "the guest has let go while nobody could act on it";
    EXPECT_EQ(answers[0], (std::pair{1u, SlotAnswer::Released}));
}

} // namespace
} // namespace tandem::devices
