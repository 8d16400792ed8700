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
    VirtioMmio slot{"virtio0", std::make_unique<VirtioConsole>(&line), memory, irq.line()};
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

class ConsolePortsTest : public ::testing::Test {
protected:
    using Control = virtio_console::Control;
    static constexpr u32 kAgentReceive = 4, kAgentTransmit = 5;

    void start() {
        driver.start(6);
        for (u16 head = 0; head < 8; ++head)
            driver.send(VirtioConsole::kControlReceiveQueue, head,
                        {{kInbox + head * 0x40, 0x40, true}});
        tell({0, virtio_console::kDeviceReady, 1});
    }
    void tell(const Control &message) {
        memory.put(kOutbox, message);
        driver.send(VirtioConsole::kControlTransmitQueue, 0, {{kOutbox, sizeof message}});
    }
    /// The n-th message of the device, and what follows it.
    std::pair<Control, std::string> heard(u16 n) {
        EXPECT_LT(n, driver.used_index(VirtioConsole::kControlReceiveQueue));
        const auto used = driver.used(VirtioConsole::kControlReceiveQueue, n);
        const u64 address = kInbox + used.head * 0x40;
        std::string rest;
        for (u64 i = sizeof(Control); i < used.written; ++i) rest += memory.get<char>(address + i);
        return {memory.get<Control>(address), rest};
    }
    void say(std::string_view text) {
        for (std::size_t i = 0; i < text.size(); ++i) memory.put(kData + i, text[i]);
        driver.send(kAgentTransmit, 0, {{kData, static_cast<u32>(text.size())}});
    }
    void expect(u16 n, u32 port, u16 event, u16 value, std::string_view rest = "") {
        const auto [message, name] = heard(n);
        EXPECT_EQ(message.port, port) << n;
        EXPECT_EQ(message.event, event) << n;
        EXPECT_EQ(message.value, value) << n;
        EXPECT_EQ(name, rest) << n;
    }

    static constexpr u64 kInbox = 0xa000, kOutbox = 0xb000;
    testing::FakeMemory memory{0x10000};
    testing::FakeIrqSink irq;
    testing::FakeChar agent, other;
    std::vector<std::pair<std::string, bool>> opened;
    VirtioMmio slot{
        "virtio0",
        std::make_unique<VirtioConsole>(
            nullptr, std::vector<VirtioConsole::NamedPort>{{"agent.0", &agent}, {"other", &other}},
            [this](std::string_view name, bool is_open) { opened.emplace_back(name, is_open); }),
        memory, irq.line()};
    VirtioDriver driver{slot, memory};
};

TEST_F(ConsolePortsTest, IntroducesItsPorts) {
    using namespace virtio_console;
    agent.set_connected(false);
    EXPECT_EQ(driver.offered_features() & 7, kFeatureMultiport) << "there is no console";
    EXPECT_EQ(driver.read(0x104, 2), 3u) << "ports, the console's place among them";
    start();
    EXPECT_EQ(driver.used_index(VirtioConsole::kControlReceiveQueue), 2u);
    expect(0, 1, kPortAdd, 1);
    expect(1, 2, kPortAdd, 1);
    tell({2, kPortReady, 1});
    expect(2, 2, kPortName, 1, "other");
    expect(3, 2, kPortOpen, 1);
    tell({1, kPortReady, 1});
    expect(4, 1, kPortName, 1, "agent.0");
    EXPECT_EQ(driver.used_index(VirtioConsole::kControlReceiveQueue), 5u) << "nobody is there";
    agent.set_connected(true);
    expect(5, 1, kPortOpen, 1);
    agent.set_connected(false);
    expect(6, 1, kPortOpen, 0);
}

TEST_F(ConsolePortsTest, CarriesBytesWhileBothAreThere) {
    using namespace virtio_console;
    start();
    tell({1, kPortReady, 1});
    agent.type("ping");
    driver.send(kAgentReceive, 0, {{kData, 64, true}});
    EXPECT_EQ(agent.waiting(), 4u) << "the guest has not opened the port";
    tell({1, kPortOpen, 1});
    EXPECT_EQ(agent.waiting(), 0u);
    EXPECT_EQ(driver.used(kAgentReceive, 0).written, 4u);
    EXPECT_EQ(memory.get<u32>(kData), 0x676e6970u);
    say("pong");
    EXPECT_EQ(agent.output(), "pong");
    agent.set_connected(false);
    say("for nobody");
    EXPECT_EQ(agent.output(), "pong");
    EXPECT_EQ(driver.used_index(kAgentTransmit), 2u) << "the guest is not held up";
    tell({1, kPortOpen, 0});
    EXPECT_EQ(opened,
              (std::vector<std::pair<std::string, bool>>{{"agent.0", true}, {"agent.0", false}}));
}

TEST_F(ConsolePortsTest, OwesMessagesWhileThereIsNoRoom) {
    using namespace virtio_console;
    driver.start(6);
    tell({0, kDeviceReady, 1});
    tell({1, kPortReady, 1});
    for (u16 head = 0; head < 8; ++head)
        driver.send(VirtioConsole::kControlReceiveQueue, head,
                    {{kInbox + head * 0x40, 0x40, true}});
    expect(0, 1, kPortAdd, 1);
    expect(1, 1, kPortName, 1, "agent.0");
    expect(2, 1, kPortOpen, 1);
    expect(3, 2, kPortAdd, 1);
}

TEST_F(ConsolePortsTest, IgnoresMessagesThatMakeNoSense) {
    using namespace virtio_console;
    start();
    for (const Control &message :
         {Control{0, kPortReady, 1}, Control{3, kPortOpen, 1}, Control{~0u, kPortOpen, 1},
          Control{1, kPortAdd, 1}, Control{1, 99, 1}, Control{1, kPortReady, 0}})
        tell(message);
    memory.put(kOutbox, u32{1});
    driver.send(VirtioConsole::kControlTransmitQueue, 0, {{kOutbox, 4}});
    EXPECT_FALSE(driver.needs_reset());
    EXPECT_EQ(driver.used_index(VirtioConsole::kControlReceiveQueue), 2u);
    EXPECT_TRUE(opened.empty());
}

} // namespace
} // namespace tandem::devices
