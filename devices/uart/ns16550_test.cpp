#include "devices/uart/ns16550.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

constexpr u64 kRbr = 0, kIer = 1, kIir = 2, kFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6,
              kScr = 7;
constexpr u64 kNone = 0xc1, kLineStatus = 0xc6, kData = 0xc4, kTimeout = 0xcc, kSent = 0xc2,
              kModem = 0xc0;

class Ns16550Test : public ::testing::Test {
protected:
    Ns16550Test() { write(kFcr, 0x81); } // FIFOs, trigger level 8
    void write(u64 offset, u64 value) { ASSERT_TRUE(uart.write(offset, 0, value)); }
    u64 read(u64 offset) {
        u64 value = 0;
        EXPECT_TRUE(uart.read(offset, 0, value));
        return value;
    }
    testing::FakeChar line;
    testing::FakeClock clock;
    testing::FakeIrqSink irq;
    Ns16550 uart{line, clock, irq.line()};
};

TEST_F(Ns16550Test, IsA16550AToDriversThatProbe) {
    write(kScr, 0x5a);
    EXPECT_EQ(read(kScr), 0x5au);
    EXPECT_EQ(read(kIir) >> 6, 3u) << "FIFOs that work";
    write(kIer, 0xff);
    EXPECT_EQ(read(kIer), 0x0fu) << "no sleep mode";
    write(kMcr, 0x1a); // LOOP, OUT2, RTS
    EXPECT_EQ(read(kMsr) & 0xf0, 0x90u);
    write(kFcr, 0);
    EXPECT_EQ(read(kIir) >> 6, 0u);
}

TEST_F(Ns16550Test, TheDivisorIsBehindALatch) {
    write(kLcr, 0x83);
    ASSERT_TRUE(uart.write(kRbr, 1, 0x0123)); // both bytes
    EXPECT_EQ(line.output(), "");
    EXPECT_EQ(read(kRbr), 0x23u);
    EXPECT_EQ(read(kIer), 0x01u);
    write(kLcr, 0x03);
    EXPECT_EQ(read(kIer), 0u);
}

TEST_F(Ns16550Test, PrintsAndInterruptsWhenSent) {
    EXPECT_FALSE(irq.level());
    write(kIer, 2);
    EXPECT_TRUE(irq.level()) << "it is empty";
    EXPECT_EQ(read(kIir), kSent);
    EXPECT_FALSE(irq.level()) << "which has been read";
    EXPECT_EQ(read(kIir), kNone);
    write(kRbr, 'h');
    EXPECT_EQ(read(kIir), kSent);
    write(kRbr, 'i');
    EXPECT_EQ(line.output(), "hi");
    EXPECT_EQ(read(kLsr), 0x60u);
}

TEST_F(Ns16550Test, AFullBackEndHoldsTheGuestBack) {
    line.set_room(1);
    write(kIer, 2);
    for (char c = 'a'; c < 'a' + 17; ++c) write(kRbr, static_cast<u8>(c));
    EXPECT_EQ(line.output(), "a");
    EXPECT_EQ(read(kLsr), 0u);
    EXPECT_FALSE(irq.level());
    write(kRbr, 'Z'); // lost: the guest ignored THRE
    line.set_room(100);
    EXPECT_EQ(line.output(), "abcdefghijklmnopq");
    EXPECT_EQ(read(kLsr), 0x60u);
    EXPECT_TRUE(irq.level());
}

TEST_F(Ns16550Test, ReceivesAtTheTriggerLevelAndAfterATime) {
    write(kIer, 1);
    line.type("1234567");
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(read(kLsr) & 1, 1u);
    clock.advance(1'000'000);
    EXPECT_EQ(read(kIir), kTimeout);
    EXPECT_EQ(read(kRbr), static_cast<u64>('1'));
    EXPECT_FALSE(irq.level());
    line.type("89");
    EXPECT_EQ(read(kIir), kData);
    std::string text;
    while ((read(kLsr) & 1) != 0) text += static_cast<char>(read(kRbr));
    EXPECT_EQ(text, "23456789");
    clock.advance(1'000'000);
    EXPECT_FALSE(irq.level());
}

TEST_F(Ns16550Test, WhatDoesNotFitWaitsOutside) {
    line.type("0123456789abcdefXYZ");
    EXPECT_EQ(line.waiting(), 3u);
    std::string text;
    while ((read(kLsr) & 1) != 0) text += static_cast<char>(read(kRbr));
    EXPECT_EQ(text, "0123456789abcdefXYZ");
}

TEST_F(Ns16550Test, LoopsBackAndOverruns) {
    write(kMcr, 0x10);
    write(kIer, 0xc);
    EXPECT_EQ(read(kIir), kModem) << "CTS, DSR and DCD have gone";
    EXPECT_EQ(read(kMsr), 0x0bu);
    for (int i = 0; i < 17; ++i) write(kRbr, static_cast<u8>('A' + i));
    EXPECT_EQ(read(kIir), kLineStatus);
    EXPECT_EQ(read(kLsr) & 3, 3u);
    EXPECT_EQ(read(kIir), kNone);
    EXPECT_EQ(line.output(), "");
    EXPECT_EQ(read(kRbr), static_cast<u64>('A'));
}

} // namespace
} // namespace tandem::devices
