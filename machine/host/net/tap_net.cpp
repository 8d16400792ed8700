#include "machine/host/net/tap_net.h"

#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>

namespace tandem::machine {
namespace {

/// Before each frame, both ways (virtio 1.2, section 5.1.6, without num_buffers).
struct FrameHeader {
    static constexpr u8 kTcpIpv4 = 1, kTcpIpv6 = 4;
    u8 flags = 0;
    u8 segment_kind = 0;
    u16 header_length = 0; ///< of what goes before each segment
    u16 segment_size = 0;
    u16 checksum_start = 0, checksum_offset = 0;
};
static_assert(sizeof(FrameHeader) == 10);

constexpr std::size_t kEthernet = 14;

u16 big_endian(std::span<const std::byte> bytes, std::size_t at) {
    return static_cast<u16>(std::to_integer<u16>(bytes[at]) << 8 |
                            std::to_integer<u16>(bytes[at + 1]));
}

/// How the host's kernel cuts a TCP segment that is larger than the MTU.
FrameHeader header_of(std::span<const std::byte> frame) {
    FrameHeader header;
    if (frame.size() <= kEthernet + kNetMtu) return header;
    constexpr u16 kIpv4 = 0x0800, kIpv6 = 0x86dd;
    constexpr std::byte kTcp{6};
    const u16 type = big_endian(frame, 12);
    std::size_t ip = 0;
    if (type == kIpv4 && frame[kEthernet + 9] == kTcp) {
        ip = std::to_integer<std::size_t>(frame[kEthernet] & std::byte{0xf}) * 4;
        header.segment_kind = FrameHeader::kTcpIpv4;
    } else if (type == kIpv6 && frame[kEthernet + 6] == kTcp) {
        ip = 40;
        header.segment_kind = FrameHeader::kTcpIpv6;
    } else {
        return header; // too large for the interface, which drops it
    }
    const std::size_t tcp = std::to_integer<std::size_t>(frame[kEthernet + ip + 12] >> 4) * 4;
    header.header_length = static_cast<u16>(kEthernet + ip + tcp);
    header.segment_size = static_cast<u16>(kNetMtu - ip - tcp);
    return header;
}

} // namespace

Result<std::unique_ptr<TapNet>> TapNet::create(const NetConfig &config) {
    const auto failed = [&](std::string_view what, std::string_view mend) {
        return failure(fmt::format("--net tap{}{}: {}: {}; {}",
                                   config.where.empty() ? "" : ",ifname=", config.where, what,
                                   std::strerror(errno), mend));
    };
    ScopedFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!tap.is_open())
        return failed("/dev/net/tun", "load the module tun, and have the right to open it, or use "
                                      "--net user");
    ::ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    config.where.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(tap.get(), TUNSETIFF, &request) != 0)
        return failed("the interface cannot be used",
                      "make one for this user (ip tuntap add NAME mode tap user USER), which no "
                      "other machine has, or use --net user");
    std::unique_ptr<TapNet> net{new TapNet(config.mac, std::move(tap))};
    TRY(net->open_wake("tap"));
    net->start_thread();
    return net;
}

void TapNet::write_frame(std::span<const std::byte> frame) const {
    FrameHeader header = header_of(frame);
    const std::array<::iovec, 2> parts{
        ::iovec{&header, sizeof header},
        ::iovec{const_cast<std::byte *>(frame.data()), frame.size()}};
    // One that the interface does not take now (it is down, or full) is lost, as on a wire.
    static_cast<void>(::writev(tap_.get(), parts.data(), parts.size()));
}

void TapNet::read_frames() {
    std::array<std::byte, sizeof(FrameHeader) + kMaxFrame> buffer;
    for (std::size_t i = 0; i < kMaxWaiting; ++i) {
        const ssize_t size = ::read(tap_.get(), buffer.data(), buffer.size());
        if (size <= static_cast<ssize_t>(sizeof(FrameHeader))) return;
        // Without TUNSETOFFLOAD frames have their checksums, and are no larger than the MTU.
        give_to_guest(
            std::span(buffer).first(static_cast<std::size_t>(size)).subspan(sizeof(FrameHeader)));
    }
}

void TapNet::serve() {
    while (!is_stopping()) {
        std::array<::pollfd, 2> polled{::pollfd{wake_fd(), POLLIN, 0},
                                       ::pollfd{tap_.get(), POLLIN, 0}};
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
        clear_wake();
        for (const Frame &frame : take_from_guest()) write_frame(frame);
        read_frames();
        tell_listener();
    }
}

} // namespace tandem::machine
