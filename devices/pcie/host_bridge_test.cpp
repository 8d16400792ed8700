#include "devices/pcie/host_bridge.h"

#include "devices/testing/gadget.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::Doorbell;
using testing::Gadget;

class PcieTest : public ::testing::Test {
protected:
    static constexpr u64 kDevice = 1 << 15; ///< device 1, function 0
    static constexpr u64 kMemory = 0x1000'0000, kHigh = 0x80'0000'0000;
    PcieTest() {
        auto owned = std::make_unique<Gadget>();
        gadget = owned.get();
        EXPECT_TRUE(bridge.add(std::move(owned)));
    }
    u64 config(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(bridge.ecam().read(offset, size_log2, value));
        return value;
    }
    void set_config(u64 offset, u64 value, unsigned size_log2 = 2) {
        ASSERT_TRUE(bridge.ecam().write(offset, size_log2, value));
    }
    u64 peek(MmioDevice &window, u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        EXPECT_TRUE(window.read(offset, size_log2, value));
        return value;
    }
    /// BAR 0 at 0x10001000, MSI-X at 0x10002000, BAR 2 at 0x80_0000_0000.
    void place() {
        set_config(kDevice + 0x10, 0x1000'1000);
        set_config(kDevice + 0x14, 0x1000'2000);
        set_config(kDevice + 0x18, 0);
        set_config(kDevice + 0x1c, 0x80);
        set_config(kDevice + 4, 6, 1);
    }

    testing::FakeIrqSink irq;
    Doorbell doorbell;
    PcieHostBridge bridge{{.ecam = {0x40'1000'0000, 0x1000'0000},
                           .memory = {kMemory, 0x2eff'0000},
                           .io = {0x3eff'0000, 0x10000},
                           .high_memory = {kHigh, 0x80'0000'0000},
                           .first_spi = 3},
                          irq,
                          &doorbell};
    Gadget *gadget = nullptr;
};

TEST_F(PcieTest, EnumeratesBusZero) {
    EXPECT_EQ(config(0), 0x00081b36u);
    EXPECT_EQ(config(kDevice), 0x56781234u);
    EXPECT_EQ(config(kDevice + 8), 0x01020300u);
    EXPECT_EQ(config(kDevice + 2, 1), 0x5678u);
    EXPECT_EQ(config(kDevice, 3) & 0xffffffff, 0x56781234u);
    EXPECT_EQ(config(kDevice + 0x1000), 0xffffffffu) << "function 1";
    EXPECT_EQ(config(2 << 15), 0xffffffffu) << "device 2";
    EXPECT_EQ(config(1 << 20), 0xffffffffu) << "bus 1";
    EXPECT_EQ(config(0xfff'fff8, 3), ~u64{0});
    EXPECT_EQ(config(kDevice + 0x100), 0u) << "no extended capabilities";
}

TEST_F(PcieTest, BarsTellTheirSize) {
    for (u64 bar = 0x10; bar < 0x28; bar += 4) set_config(kDevice + bar, 0xffffffff);
    EXPECT_EQ(config(kDevice + 0x10), 0xffffff00u);
    EXPECT_EQ(config(kDevice + 0x14), 0xfffff000u);
    EXPECT_EQ(config(kDevice + 0x18), 0x0000000cu) << "64 bits, prefetchable, 8 GiB";
    EXPECT_EQ(config(kDevice + 0x1c), 0xfffffffeu);
    EXPECT_EQ(config(kDevice + 0x20), 0u);
    set_config(kDevice, 0xffffffff);
    EXPECT_EQ(config(kDevice), 0x56781234u) << "the identity is read-only";
}

TEST_F(PcieTest, BarsDecodeWhereTheyArePut) {
    EXPECT_EQ(peek(bridge.memory(), 0x1004), 0xffffffffu);
    place();
    EXPECT_EQ(peek(bridge.memory(), 0x1004), 4u);
    EXPECT_EQ(peek(bridge.memory(), 0x10fc), 0xfcu);
    EXPECT_EQ(peek(bridge.memory(), 0x1100), 0xffffffffu) << "past its end";
    EXPECT_EQ(peek(bridge.high_memory(), 0x1'0000'0010), 0x20010u);
    EXPECT_EQ(peek(bridge.io(), 0), 0xffffffffu);
    EXPECT_TRUE(bridge.high_memory().write(0x1'ffff'fff8, 3, 1));
    EXPECT_EQ(gadget->last_bar, 2u);
    EXPECT_EQ(gadget->last_offset, 0x1'ffff'fff8u);
    set_config(kDevice + 0x10, 0x1000'3000);
    EXPECT_EQ(peek(bridge.memory(), 0x1004), 0xffffffffu);
    EXPECT_EQ(peek(bridge.memory(), 0x3004), 4u);
    set_config(kDevice + 4, 4, 1); // memory space off
    EXPECT_EQ(peek(bridge.memory(), 0x3004), 0xffffffffu);
}

TEST_F(PcieTest, IntxIsSwizzledAndMaskable) {
    gadget->ring(true);
    EXPECT_TRUE(irq.level(4)) << "INTA of device 1 is the second line";
    EXPECT_EQ(config(kDevice + 6, 1) & 8, 8u);
    set_config(kDevice + 4, 0x400, 1);
    EXPECT_FALSE(irq.level(4));
    EXPECT_EQ(config(kDevice + 6, 0) & 8, 8u) << "the status shows it nevertheless";
    set_config(kDevice + 4, 0, 1);
    EXPECT_TRUE(irq.level(4));
    bridge.ecam().reset();
    EXPECT_FALSE(irq.level(4));
}

TEST_F(PcieTest, FourDevicesShareALine) {
    std::vector<Gadget *> more;
    for (int i = 0; i < 4; ++i) {
        auto owned = std::make_unique<Gadget>();
        more.push_back(owned.get());
        ASSERT_TRUE(bridge.add(std::move(owned)));
    }
    gadget->ring(true);
    more[3]->ring(true); // device 5
    gadget->ring(false);
    EXPECT_TRUE(irq.level(4));
    more[3]->ring(false);
    EXPECT_FALSE(irq.level(4));
}

TEST_F(PcieTest, MsixSendsMasksAndRemembers) {
    place();
    const u64 table = 0x2000;
    EXPECT_EQ(config(kDevice + 0x34, 0), 0x40u);
    EXPECT_EQ(config(kDevice + 0x40), 0x00024c11u) << "three vectors";
    EXPECT_EQ(peek(bridge.memory(), table + 0x1c), 1u) << "masked after reset";
    for (u64 vector = 0; vector < 3; ++vector) {
        ASSERT_TRUE(bridge.memory().write(table + vector * 16, 3, 0x1'0808'0040 + vector * 0x1000));
        ASSERT_TRUE(bridge.memory().write(table + vector * 16 + 8, 2, 7 + vector));
        ASSERT_TRUE(bridge.memory().write(table + vector * 16 + 12, 2, vector == 2 ? 1 : 0));
    }
    gadget->message(0);
    EXPECT_TRUE(doorbell.messages.empty()) << "not enabled";
    set_config(kDevice + 0x42, 0x8000, 1);
    gadget->message(1);
    ASSERT_EQ(doorbell.messages.size(), 1u);
    EXPECT_EQ(doorbell.messages[0], (Doorbell::Message{8, 0x1'0808'1040, 8}));
    gadget->ring(true);
    EXPECT_FALSE(irq.level(4)) << "MSI-X replaces INTx";
    gadget->message(2);
    EXPECT_EQ(doorbell.messages.size(), 1u);
    EXPECT_EQ(peek(bridge.memory(), table + 0x800, 3), 4u) << "pending";
    ASSERT_TRUE(bridge.memory().write(table + 0x2c, 2, 0));
    ASSERT_EQ(doorbell.messages.size(), 2u);
    EXPECT_EQ(peek(bridge.memory(), table + 0x800), 0u);
    set_config(kDevice + 0x42, 0xc000, 1); // function mask
    gadget->message(0);
    gadget->message(9);
    EXPECT_EQ(doorbell.messages.size(), 2u);
    set_config(kDevice + 4, 2, 1); // no bus master
    set_config(kDevice + 0x42, 0x8000, 1);
    EXPECT_EQ(doorbell.messages.size(), 2u);
    set_config(kDevice + 4, 6, 1);
    EXPECT_EQ(doorbell.messages.size(), 3u);
}

TEST_F(PcieTest, BusZeroHasThirtyTwoDevices) {
    for (int i = 2; i < 32; ++i) EXPECT_TRUE(bridge.add(std::make_unique<Gadget>()));
    EXPECT_FALSE(bridge.add(std::make_unique<Gadget>()));
}

TEST_F(PcieTest, DescribesItself) {
    testing::FakeFdtNode root;
    bridge.describe(root, 5, 6);
    const std::string text = root.text();
    for (const char *part :
         {"pcie@10000000", "bus-range = <0x0 0xff>", "reg = <0x40 0x10000000 0x0 0x10000000>",
          "msi-map = <0x0 0x6 0x0 0x10000>",
          "0x2000000 0x0 0x10000000 0x0 0x10000000 0x0 0x2eff0000",
          "0x3000000 0x80 0x0 0x80 0x0 0x80 0x0", "0x800 0x0 0x0 0x1 0x5 0x0 0x0 0x0 0x4 0x4"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

} // namespace
} // namespace tandem::devices
