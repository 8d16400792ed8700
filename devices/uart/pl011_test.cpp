#include "devices/uart/pl011.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

constexpr u64 kDr = 0x00, kFr = 0x18, kLcrH = 0x2c, kCr = 0x30, kIfls = 0x34, kImsc = 0x38,
              kRis = 0x3c, kMis = 0x40, kIcr = 0x44;
constexpr u64 kRx = 1 << 4, kTx = 1 << 5, kRt = 1 << 6;
constexpr u64 kRxfe = 1 << 4, kTxff = 1 << 5, kTxfe = 1 << 7;

class Pl011Test : public ::testing::Test {
protected:
    Pl011Test() {
        write(kLcrH, 0x70); // 8 bits, FIFOs
        write(kCr, 0x301);
    }
    void write(u64 offset, u64 value) { ASSERT_TRUE(uart.write(offset, 2, value)); }
    u64 read(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(uart.read(offset, 2, value));
        return value;
    }
    testing::FakeChar line;
    testing::FakeClock clock;
    testing::FakeIrqSink irq;
    Pl011 uart{line, clock, irq.line()};
};

TEST_F(Pl011Test, Identifies) {
    u32 id = 0;
    for (u32 i = 0; i < 4; ++i) id |= static_cast<u32>(read(0xfe0 + i * 4)) << (i * 8);
    EXPECT_EQ(id & 0xfffff, 0x41011u);
    EXPECT_EQ(read(0xff0), 0x0du);
    EXPECT_EQ(read(0xffc), 0xb1u);
}

TEST_F(Pl011Test, PrintsAndInterruptsWhenSent) {
    write(kImsc, kTx);
    EXPECT_FALSE(irq.level());
    write(kDr, 'h');
    EXPECT_TRUE(irq.level());
    write(kIcr, kTx);
    EXPECT_FALSE(irq.level());
    ASSERT_TRUE(uart.write(kDr, 0, 'i')); // a byte access
    EXPECT_EQ(line.output(), "hi");
    EXPECT_EQ(read(kFr) & (kTxfe | kTxff), kTxfe);
}

TEST_F(Pl011Test, AFullBackEndHoldsTheGuestBack) {
    line.set_room(1);
    for (char c = 'a'; c < 'a' + 17; ++c) write(kDr, static_cast<u8>(c));
    EXPECT_EQ(line.output(), "a");
    EXPECT_NE(read(kFr) & kTxff, 0u);
    write(kDr, 'Z'); // lost: the guest ignored TXFF
    EXPECT_EQ(read(kRis) & kTx, 0u) << "filled above the trigger level";
    line.set_room(10);
    EXPECT_EQ(read(kRis) & kTx, kTx) << "drained through the trigger level";
    line.set_room(100);
    EXPECT_EQ(line.output(), "abcdefghijklmnopq");
    EXPECT_NE(read(kFr) & kTxfe, 0u);
}

TEST_F(Pl011Test, ReceivesWithTimeout) {
    write(kImsc, kRx | kRt);
    line.type("x");
    EXPECT_FALSE(irq.level()) << "below the trigger level";
    clock.advance(1'000'000);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(kMis), kRt);
    EXPECT_EQ(read(kDr), static_cast<u64>('x'));
    EXPECT_FALSE(irq.level());
    EXPECT_NE(read(kFr) & kRxfe, 0u);
}

TEST_F(Pl011Test, ReceiveLevelInterruptFollowsTheFifo) {
    write(kImsc, kRx);
    write(kIfls, 2 << 3); // half: 8
    line.type("1234567");
    EXPECT_FALSE(irq.level());
    line.type("8");
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(read(kDr), static_cast<u64>('1'));
    EXPECT_FALSE(irq.level());
}

TEST_F(Pl011Test, WhatDoesNotFitWaitsOutside) {
    line.type("0123456789abcdefXYZ");
    EXPECT_EQ(line.waiting(), 3u);
    std::string text;
    while ((read(kFr) & kRxfe) == 0) text += static_cast<char>(read(kDr));
    EXPECT_EQ(text, "0123456789abcdefXYZ");
}

TEST_F(Pl011Test, DisabledReceiverTakesNothing) {
    write(kCr, 0);
    line.type("q");
    EXPECT_EQ(line.waiting(), 1u);
    write(kCr, 0x301);
    EXPECT_EQ(read(kDr), static_cast<u64>('q'));
}

TEST_F(Pl011Test, LoopsBack) {
    write(kCr, 0x301 | 1 << 7 | 1 << 11); // LBE, RTS
    EXPECT_EQ(read(kFr) & 7, 1u);         // CTS
    write(kDr, 'L');
    EXPECT_EQ(line.output(), "");
    EXPECT_EQ(read(kDr), static_cast<u64>('L'));
}

} // namespace
} // namespace tandem::devices
