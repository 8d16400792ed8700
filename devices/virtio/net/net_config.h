#pragma once
/// What the driver and the virtio network device agree on in memory (virtio 1.2 §5.1).
#include "support/bits.h"

namespace tandem::devices::virtio_net {

// Feature bits, §5.1.3.
inline constexpr u64 kFeatureChecksum = u64{1} << 0;
inline constexpr u64 kFeatureGuestChecksum = u64{1} << 1;
inline constexpr u64 kFeatureMtu = u64{1} << 3;
inline constexpr u64 kFeatureMac = u64{1} << 5;
inline constexpr u64 kFeatureHostTso4 = u64{1} << 11;
inline constexpr u64 kFeatureHostTso6 = u64{1} << 12;
inline constexpr u64 kFeatureMergeableBuffers = u64{1} << 15;
inline constexpr u64 kFeatureStatus = u64{1} << 16;
inline constexpr u64 kFeatureControlQueue = u64{1} << 17;
inline constexpr u64 kFeatureControlReceive = u64{1} << 18;
inline constexpr u64 kFeatureMultiqueue = u64{1} << 22;
inline constexpr u64 kFeatureControlMac = u64{1} << 23;

/// §5.1.4
struct Config {
    u8 mac[6] = {};
    u16 status = 0;
    u16 max_queue_pairs = 0;
    u16 mtu = 0;
};
static_assert(sizeof(Config) == 12);
inline constexpr u16 kStatusLinkUp = 1;

/// Before every frame, §5.1.6; with VERSION_1 the last field is always there.
struct Header {
    u8 flags = 0;
    u8 segmentation = 0;
    u16 header_length = 0;
    u16 segment_size = 0;
    u16 checksum_start = 0;
    u16 checksum_offset = 0;
    u16 buffers = 0;
};
static_assert(sizeof(Header) == 12);
inline constexpr u8 kNeedsChecksum = 1;
inline constexpr u8 kChecksumValid = 2;

// The control queue, §5.1.6.5.
struct ControlHeader {
    u8 command_class = 0;
    u8 command = 0;
};
inline constexpr u8 kClassReceive = 0;
inline constexpr u8 kReceiveCommands = 6; ///< promiscuous to no-broadcast
inline constexpr u8 kClassMac = 1;
inline constexpr u8 kMacTableSet = 0, kMacAddressSet = 1;
inline constexpr u8 kClassMultiqueue = 4;
inline constexpr u8 kPairsSet = 0;
inline constexpr u8 kAckOk = 0, kAckError = 1;

} // namespace tandem::devices::virtio_net
