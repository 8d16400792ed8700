#include "devices/virtio/console/virtio_console.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;
constexpr u64 kData = VirtioDriver::kData;

class VirtioConsoleTest : public ::testing::Test {
protected:
    void say(std::string_view text, u16 head) {
        const u64 address = kData + head * 0x100;
        for (std::size_t i = 0; i < text.size(); ++i) memory.put(address + i, text[i]);
        driver.send(1, head, {{address, static_cast<u32>(text.size()), false}});
    }
    testing::FakeMemory memory{0x10000};
    testing::FakeIrqSink irq;
    testing::FakeChar line;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioConsole>(line), memory, irq.line()};
    VirtioDriver driver{slot, memory};
};

TEST_F(VirtioConsoleTest, Speaks) {
    driver.start(2);
    say("hello ", 0);
    say("world", 1);
    EXPECT_EQ(line.output(), "hello world");
    EXPECT_EQ(driver.used_index(1), 2u);
}

TEST_F(VirtioConsoleTest, WaitsForASlowListener) {
    driver.start(2);
    line.set_room(3);
    say("hello", 0);
    say("again", 1);
    EXPECT_EQ(line.output(), "hel");
    line.set_room(100);
    EXPECT_EQ(line.output(), "helloagain");
    EXPECT_EQ(driver.used_index(1), 2u);
}

TEST_F(VirtioConsoleTest, Hears) {
    line.type("early ");
    driver.start(2);
    EXPECT_EQ(line.waiting(), 6u) << "no buffer yet";
    driver.send(0, 0, {{kData, 4, true}});
    EXPECT_EQ(driver.used(0, 0).written, 4u);
    EXPECT_EQ(memory.get<u32>(kData), 0x6c726165u); // "earl"
    driver.send(0, 1, {{kData, 64, true}});
    EXPECT_EQ(driver.used(0, 1).written, 2u);
    driver.send(0, 2, {{kData, 64, true}});
    EXPECT_EQ(driver.used_index(0), 2u);
    line.type("late");
    EXPECT_EQ(driver.used(0, 2).written, 4u);
    EXPECT_TRUE(irq.level());
}

TEST_F(VirtioConsoleTest, EmergencyWriteNeedsNoDriver) {
    driver.write(0x108, '!', 2);
    EXPECT_EQ(line.output(), "!");
}

} // namespace
} // namespace tandem::devices
