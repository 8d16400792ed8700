#include "devices/i2c/dw_i2c.h"

#include "devices/testing/fakes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

/// Remembers what it is sent, and counts up when it is read.
class Echo final : public I2cTarget {
public:
    bool start(I2cDirection direction) override {
        log += direction == I2cDirection::Read ? "R" : "W";
        return !is_absent;
    }
    bool write(u8 byte) override {
        log += fmt::format("{:02x}", byte);
        return byte != 0xff;
    }
    u8 read() override { return next++; }
    void stop() override { log += "P"; }
    void describe(FdtNode &, u8) const override {}

    std::string log;
    bool is_absent = false;
    u8 next = 1;
};

class DwI2cTest : public ::testing::Test {
protected:
    DwI2cTest() {
        bus.attach(0x42, echo);
        write(0x04, 0x42); // IC_TAR
        write(0x6c, 1);    // IC_ENABLE
    }
    void write(u64 offset, u64 value) { ASSERT_TRUE(controller.write(offset, 2, value)); }
    u64 read(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(controller.read(offset, 2, value));
        return value;
    }
    void command(u32 value) { write(0x10, value); }

    static constexpr u32 kRead = 1u << 8, kStop = 1u << 9, kRestart = 1u << 10;
    static constexpr u64 kRaw = 0x34, kStatus = 0x70, kReceiveLevel = 0x78;

    Echo echo;
    I2cBus bus;
    testing::FakeIrqSink irq;
    DwI2c controller{bus, irq.line()};
};

TEST_F(DwI2cTest, WritesThenReadsWithoutStopBetween) {
    command(0x10);
    command(0x20);
    EXPECT_EQ(read(kStatus) & 0x21, 0x21u) << "the bus is ours";
    command(kRead | kRestart);
    command(kRead | kStop);
    EXPECT_EQ(echo.log, "W1020RP");
    EXPECT_EQ(read(kReceiveLevel), 2u);
    EXPECT_EQ(read(0x10), 1u);
    EXPECT_EQ(read(0x10), 2u);
    EXPECT_EQ(read(kStatus), 0x06u);
    EXPECT_EQ(read(kRaw) & 0x600, 0x600u) << "a start and a stop";
    static_cast<void>(read(0x60)); // IC_CLR_STOP_DET
    EXPECT_EQ(read(kRaw) & 0x600, 0x400u);
}

TEST_F(DwI2cTest, ARestartIsAsked) {
    command(1);
    command(2 | kRestart);
    command(3 | kStop);
    EXPECT_EQ(echo.log, "W01W0203P");
}

TEST_F(DwI2cTest, NobodyThere) {
    write(0x6c, 0);
    write(0x04, 0x43);
    write(0x6c, 1);
    write(0x30, 0x40); // TX_ABRT
    EXPECT_FALSE(irq.level());
    command(1);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(0x80), 1u) << "7B_ADDR_NOACK";
    command(2);
    EXPECT_EQ(read(0x80), 1u) << "what comes before it is seen goes nowhere";
    static_cast<void>(read(0x54)); // IC_CLR_TX_ABRT
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(read(0x80), 0u);
    // The same of one that does not answer, of a byte refused, and of addresses of ten bits.
    write(0x6c, 0);
    write(0x04, 0x42);
    write(0x6c, 1);
    echo.is_absent = true;
    command(1);
    EXPECT_EQ(read(0x80), 1u);
    static_cast<void>(read(0x40)); // IC_CLR_INTR
    echo.is_absent = false;
    command(0xff);
    EXPECT_EQ(read(0x80), 8u) << "TXDATA_NOACK";
    static_cast<void>(read(0x40));
    write(0x6c, 0);
    write(0x04, 0x1042);
    write(0x6c, 1);
    command(1);
    EXPECT_EQ(read(0x80), 2u) << "10ADDR1_NOACK";
}

TEST_F(DwI2cTest, AFullReceiveFifoHoldsTheBusOrLoses) {
    for (u32 i = 0; i < 18; ++i) command(kRead);
    EXPECT_EQ(read(kReceiveLevel), 16u);
    EXPECT_EQ(read(kRaw) & 2, 2u) << "RX_OVER";
    EXPECT_EQ(echo.next, 19u);
    write(0x6c, 0);
    EXPECT_EQ(read(kReceiveLevel), 0u);
    write(0x00, 0x265); // RX_FIFO_FULL_HLD_CTRL
    write(0x6c, 1);
    echo.next = 1;
    for (u32 i = 0; i < 18; ++i) command(kRead);
    EXPECT_EQ(read(0x74), 2u) << "two wait";
    for (u64 i = 1; i <= 18; ++i) EXPECT_EQ(read(0x10), i);
    EXPECT_EQ(read(0x10), 0u);
    EXPECT_EQ(read(kRaw) & 1, 1u) << "RX_UNDER";
}

TEST_F(DwI2cTest, LevelsInterrupt) {
    write(0x30, 0x14); // TX_EMPTY and RX_FULL
    EXPECT_TRUE(irq.level()) << "TX_EMPTY";
    write(0x30, 0x04);
    EXPECT_FALSE(irq.level());
    write(0x38, 1); // IC_RX_TL
    command(kRead);
    EXPECT_FALSE(irq.level());
    command(kRead);
    EXPECT_TRUE(irq.level());
    static_cast<void>(read(0x10));
    EXPECT_FALSE(irq.level());
}

TEST_F(DwI2cTest, ComesBackInTheMiddleOfATransfer) {
    command(0x10);
    StateWriter writer;
    controller.save(writer);
    DwI2c other{bus, irq.line()};
    StateReader reader(writer.data());
    ASSERT_TRUE(other.restore(reader).has_value());
    ASSERT_TRUE(other.write(0x10, 2, 0x20 | kStop));
    EXPECT_EQ(echo.log, "W1020P");
}

} // namespace
} // namespace tandem::devices
