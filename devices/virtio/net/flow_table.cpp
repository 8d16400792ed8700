#include "devices/virtio/net/flow_table.h"

namespace tandem::devices {

namespace {

constexpr u8 kTcp = 6, kUdp = 17;

constexpr u32 big_endian(std::span<const std::byte> bytes, std::size_t at, std::size_t count) {
    u32 value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | static_cast<u32>(bytes[at + i]);
    return value;
}

} // namespace

std::size_t FlowTable::slot_of(std::span<const std::byte> frame) {
    // IEEE 802.3: type; RFC 791 and RFC 8200: addresses, protocol; RFC 9293 and RFC 768: ports.
    static constexpr std::size_t kEthernet = 14, kIpv4 = 20, kIpv6 = 40, kPorts = 4;
    static constexpr u32 kIpv4Type = 0x0800, kIpv6Type = 0x86dd, kFragment = 0x3fff;
    if (frame.size() < kEthernet + kIpv4) return 0;
    const u32 type = big_endian(frame, 12, 2);
    const std::span<const std::byte> packet = frame.subspan(kEthernet);
    u32 sum = 0; // neither direction's order matters to it
    std::size_t header = 0;
    u8 protocol = 0;
    if (type == kIpv4Type) {
        sum = big_endian(packet, 12, 4) + big_endian(packet, 16, 4);
        header = (big_endian(packet, 0, 1) & 0xf) * 4;
        if ((big_endian(packet, 6, 2) & kFragment) == 0)
            protocol = static_cast<u8>(big_endian(packet, 9, 1));
    } else if (type == kIpv6Type && packet.size() >= kIpv6) {
        for (std::size_t at = 8; at < kIpv6; at += 4) sum += big_endian(packet, at, 4);
        header = kIpv6;
        protocol = static_cast<u8>(big_endian(packet, 6, 1));
    } else {
        return 0;
    }
    if ((protocol == kTcp || protocol == kUdp) && packet.size() >= header + kPorts)
        sum += big_endian(packet, header, 2) + big_endian(packet, header + 2, 2);
    static constexpr u32 kGoldenRatio = 0x9e37'79b9; // Fibonacci hashing: the top bits are mixed
    return sum * kGoldenRatio >> 24;
}

} // namespace tandem::devices
