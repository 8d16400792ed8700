#include "devices/virtio/vsock/virtio_vsock.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using namespace testing;
using namespace virtio_vsock;
using Kind = VsockEvent::Kind;

constexpr u32 kRx = VirtioVsock::kReceiveQueue, kTx = VirtioVsock::kTransmitQueue;

class VirtioVsockTest : public ::testing::Test {
protected:
    static constexpr u64 kInbox = 0x9000, kOutbox = 0xd000;
    static constexpr u32 kRoom = 0x400; ///< of each buffer of the driver
    static constexpr VsockPorts kCalled{.host = 52, .guest = 1234};
    static constexpr VsockPorts kCalling{.host = Vsock::kFirstHostPort, .guest = 22};

    VirtioVsockTest() {
        driver.start(3);
        for (u16 head = 0; head < VirtioDriver::kQueueSize; ++head) offer(head);
    }
    void offer(u16 head) { driver.send(kRx, head, {{kInbox + head * kRoom, kRoom, true}}); }
    void say(VsockPorts ports, u16 operation, std::string_view data = "", u32 flags = 0,
             u32 buffer = 0x10000, u32 forwarded = 0) {
        const Header header{.source_cid = 3,
                            .destination_cid = kHostCid,
                            .source_port = ports.guest,
                            .destination_port = ports.host,
                            .length = static_cast<u32>(data.size()),
                            .type = kTypeStream,
                            .operation = operation,
                            .flags = flags,
                            .buffer = buffer,
                            .forwarded = forwarded};
        memory.put(kOutbox, header);
        for (std::size_t i = 0; i < data.size(); ++i)
            memory.put(kOutbox + sizeof header + i, data[i]);
        driver.send(kTx, 0, {{kOutbox, static_cast<u32>(sizeof header + data.size())}});
    }
    struct Packet {
        Header header;
        std::string data;
    };
    /// The next packet; its buffer is offered again.
    Packet hear() {
        Packet packet;
        if (heard == driver.used_index(kRx)) {
            ADD_FAILURE() << "nothing more";
            return packet;
        }
        const auto used = driver.used(kRx, heard++);
        const u64 address = kInbox + used.head * kRoom;
        packet.header = memory.get<Header>(address);
        for (u64 i = sizeof(Header); i < used.written; ++i)
            packet.data += memory.get<char>(address + i);
        EXPECT_EQ(packet.data.size(), +packet.header.length);
        EXPECT_EQ(+packet.header.source_cid, kHostCid);
        EXPECT_EQ(+packet.header.destination_cid, 3u);
        offer(static_cast<u16>(used.head));
        return packet;
    }
    bool is_silent() { return heard == driver.used_index(kRx); }
    void open() {
        say(kCalled, kRequest);
        port.happen({.kind = Kind::Accepted, .ports = kCalled, .count = 0, .bytes = {}});
        EXPECT_EQ(+hear().header.operation, kResponse);
    }
    void arrive(std::string_view text) {
        const auto bytes = std::as_bytes(std::span(text));
        port.happen({.kind = Kind::Data,
                     .ports = kCalled,
                     .count = 0,
                     .bytes = {bytes.begin(), bytes.end()}});
    }

    FakeMemory memory{1 << 16};
    FakeIrqSink irq;
    FakeVsock port;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioVsock>(port, 3), memory, irq.line()};
    VirtioDriver driver{slot, memory};
    u16 heard = 0;
};

TEST_F(VirtioVsockTest, GuestCallsHost) {
    EXPECT_EQ(driver.read(0x100, 3), 3u);
    open();
    EXPECT_EQ(port.calls, (std::vector<std::string>{"open 52<1234", "grant 52<1234"}));
    say(kCalled, kData, "hello");
    EXPECT_EQ(port.sent, "hello");
    arrive("world");
    const Packet packet = hear();
    EXPECT_EQ(+packet.header.operation, kData);
    EXPECT_EQ(+packet.header.source_port, 52u);
    EXPECT_EQ(+packet.header.destination_port, 1234u);
    EXPECT_EQ(packet.data, "world");
    say(kCalled, kShutdown, "", kNoReceive | kNoSend);
    EXPECT_EQ(+hear().header.operation, kReset);
    EXPECT_EQ(port.calls.back(), "close 52<1234");
    say(kCalled, kData, "late");
    EXPECT_EQ(+hear().header.operation, kReset);
    EXPECT_EQ(port.sent, "hello");
}

TEST_F(VirtioVsockTest, HostCallsGuest) {
    port.happen({.kind = Kind::Opening, .ports = kCalling, .count = 0, .bytes = {}});
    const Packet request = hear();
    EXPECT_EQ(+request.header.operation, kRequest);
    EXPECT_EQ(+request.header.destination_port, 22u);
    say(kCalling, kResponse);
    EXPECT_EQ(port.calls.front(), "accept 1073741824<22");
    port.happen({.kind = Kind::Finished, .ports = kCalling, .count = 0, .bytes = {}});
    const Packet end = hear();
    EXPECT_EQ(+end.header.operation, kShutdown);
    EXPECT_EQ(+end.header.flags, kNoSend);
    port.happen({.kind = Kind::Closed, .ports = kCalling, .count = 0, .bytes = {}});
    EXPECT_EQ(+hear().header.flags, kNoSend | kNoReceive);
    say(kCalling, kReset);
    EXPECT_EQ(port.calls.back(), "close 1073741824<22");
    EXPECT_TRUE(is_silent());
    // Nobody listens in the guest.
    port.happen({.kind = Kind::Opening, .ports = kCalling, .count = 0, .bytes = {}});
    EXPECT_EQ(+hear().header.operation, kRequest);
    say(kCalling, kReset);
    EXPECT_EQ(port.calls.back(), "close 1073741824<22");
}

TEST_F(VirtioVsockTest, KeepsToTheGuestsCredit) {
    open();
    say(kCalled, kCreditUpdate, "", 0, 8);
    arrive("0123456789");
    EXPECT_EQ(hear().data, "01234567");
    EXPECT_EQ(+hear().header.operation, kCreditRequest);
    EXPECT_TRUE(is_silent());
    say(kCalled, kCreditUpdate, "", 0, 8, 8);
    EXPECT_EQ(hear().data, "89");
    // It says that it has taken more than it got: no credit.
    say(kCalled, kCreditUpdate, "", 0, 8, 0x4000'0000);
    arrive("x");
    EXPECT_TRUE(is_silent());
}

TEST_F(VirtioVsockTest, HoldsNoMoreThanItGrants) {
    open();
    say(kCalled, kCreditUpdate, "", 0, 0); // the guest takes nothing
    const u64 granted = port.granted;
    for (int i = 0; i < 4; ++i) arrive(std::string(granted / 2, 'x'));
    EXPECT_EQ(port.granted, granted);
    say(kCalled, kCreditUpdate, "", 0, 1 << 20);
    std::size_t got = 0;
    while (!is_silent()) got += hear().data.size();
    EXPECT_EQ(got, granted) << "what was not granted is lost";
    EXPECT_GT(port.granted, granted) << "there is room again";
}

TEST_F(VirtioVsockTest, EndsAStreamThatSendsTooMuch) {
    open();
    const std::string piece(0x1000, 'x');
    u32 sent = 0;
    while (is_silent() && sent < (1u << 20)) {
        say(kCalled, kData, piece);
        sent += 0x1000;
    }
    EXPECT_EQ(+hear().header.operation, kReset);
    EXPECT_EQ(sent, (256u << 10) + 0x1000);
    EXPECT_EQ(port.calls.back(), "close 52<1234");
}

TEST_F(VirtioVsockTest, TellsWhatTheHostHasTaken) {
    open();
    const std::string piece(0x1000, 'x');
    for (int i = 0; i < 16; ++i) say(kCalled, kData, piece);
    port.happen({.kind = Kind::Taken, .ports = kCalled, .count = 0xffff, .bytes = {}});
    EXPECT_TRUE(is_silent());
    port.happen({.kind = Kind::Taken, .ports = kCalled, .count = 1, .bytes = {}});
    const Packet update = hear();
    EXPECT_EQ(+update.header.operation, kCreditUpdate);
    EXPECT_EQ(+update.header.forwarded, 0x10000u);
    say(kCalled, kCreditRequest);
    EXPECT_EQ(+hear().header.operation, kCreditUpdate);
}

TEST_F(VirtioVsockTest, RefusesWhatMakesNoSense) {
    say({.host = Vsock::kFirstHostPort, .guest = 1}, kRequest);
    EXPECT_EQ(+hear().header.operation, kReset) << "a port of the host's own streams";
    say(kCalled, kData, "x");
    EXPECT_EQ(+hear().header.operation, kReset) << "no stream";
    say(kCalled, kReset);
    EXPECT_TRUE(is_silent()) << "a reset is not answered";
    open();
    say(kCalled, kRequest);
    EXPECT_EQ(+hear().header.operation, kReset) << "it is open";
    say(kCalled, kRequest);
    port.happen({.kind = Kind::Closed, .ports = kCalled, .count = 0, .bytes = {}});
    EXPECT_EQ(+hear().header.operation, kReset) << "nobody listens on the host";
    memory.put(kOutbox, Header{.source_cid = 3,
                               .destination_cid = 2,
                               .source_port = 1,
                               .destination_port = 2,
                               .length = 1000,
                               .type = 1,
                               .operation = kRequest,
                               .flags = 0,
                               .buffer = 0,
                               .forwarded = 0});
    driver.send(kTx, 0, {{kOutbox, sizeof(Header)}});
    driver.send(kTx, 0, {{kOutbox, 3}});
    EXPECT_TRUE(is_silent()) << "no packets";
    EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioVsockTest, LosesStreamsWithTheirHost) {
    open();
    port.keeps = false;
    const auto state = [&] {
        StateWriter writer;
        slot.save(writer);
        return std::vector<std::byte>(writer.data().begin(), writer.data().end());
    }();
    StateReader reader(state);
    ASSERT_TRUE(slot.restore(reader).has_value());
    memory.put(kOutbox, ~u32{0});
    driver.chain(VirtioDriver::base(VirtioVsock::kEventQueue), 1, {{kOutbox + 8, 4, true}});
    driver.chain(VirtioDriver::base(VirtioVsock::kEventQueue), 0, {{kOutbox, 4, true}});
    driver.offer(VirtioVsock::kEventQueue, 0);
    driver.offer(VirtioVsock::kEventQueue, 1);
    driver.notify(VirtioVsock::kEventQueue);
    EXPECT_EQ(driver.available_event(VirtioVsock::kEventQueue), 2u) << "to be told of the next";
    EXPECT_EQ(driver.used_index(VirtioVsock::kEventQueue), 1u);
    EXPECT_EQ(memory.get<u32>(kOutbox), kTransportReset);
    port.happen({.kind = Kind::Opening, .ports = kCalling, .count = 0, .bytes = {}});
    EXPECT_TRUE(is_silent()) << "the driver has not dropped its streams yet";
    driver.send(VirtioVsock::kEventQueue, 0, {{kOutbox, 4, true}});
    EXPECT_EQ(+hear().header.operation, kRequest);
    say(kCalled, kData, "x");
    EXPECT_EQ(+hear().header.operation, kReset);
}

} // namespace
} // namespace tandem::devices
