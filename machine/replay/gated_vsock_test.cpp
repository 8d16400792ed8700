#include "machine/replay/gated_vsock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace tandem::machine::replay {
namespace {

using devices::VsockEvent;
using devices::VsockPorts;

/// Counts what it is asked for.
class Listener final : public devices::Vsock {
public:
    void open(VsockPorts ports) override { opened.push_back(ports); }
    void send(VsockPorts, std::span<const std::byte> bytes) override { sent += bytes.size(); }
    std::vector<VsockPorts> opened;
    std::size_t sent = 0;
};

TEST(GatedVsock, StreamsOfARecordingEndWhenItGoesLive) {
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("gated-vsock-" + std::to_string(::getpid()) + ".recording"))
                                 .string();
    JournalWriter::create(path, "{}", [](const Error &) {}).value()->end(1000, {});
    const auto journal = JournalReader::open(path).value();
    std::filesystem::remove(path);

    VirtualClock clock(0);
    Gate gate(clock);
    Listener host;
    GatedVsock vsock(gate, host);
    gate.replay(*journal);
    static constexpr VsockPorts kGone{.host = 1, .guest = 2}, kKept{.host = 3, .guest = 4};
    const std::array<std::byte, 3> bytes{};
    vsock.open(kGone);
    vsock.open(kKept);
    vsock.send(kKept, bytes);
    vsock.close(kGone);
    EXPECT_TRUE(host.opened.empty());
    EXPECT_EQ(host.sent, 0u);

    gate.go_live();
    vsock.went_live();
    VsockEvent event;
    ASSERT_TRUE(vsock.receive(event));
    EXPECT_EQ(event.kind, VsockEvent::Kind::Closed);
    EXPECT_EQ(event.ports, kKept);
    EXPECT_FALSE(vsock.receive(event));
    vsock.close(kKept);
    vsock.open(kKept);
    vsock.send(kKept, bytes);
    EXPECT_EQ(host.opened, std::vector<VsockPorts>{kKept});
    EXPECT_EQ(host.sent, bytes.size());
}

} // namespace
} // namespace tandem::machine::replay
