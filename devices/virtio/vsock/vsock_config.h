#pragma once
/// What the driver and the virtio socket device agree on in memory (virtio 1.2 §5.10).
#include "support/bits.h"

namespace tandem::devices::virtio_vsock {

inline constexpr u64 kFeatureStream = u64{1} << 0; // VIRTIO_VSOCK_F_STREAM

inline constexpr u64 kHostCid = 2; ///< §5.10.4
inline constexpr u64 kFirstGuestCid = 3;
inline constexpr u64 kLastGuestCid = 0xffff'fffe;

/// §5.10.6
struct [[gnu::packed]] Header {
    u64 source_cid = 0;
    u64 destination_cid = 0;
    u32 source_port = 0;
    u32 destination_port = 0;
    u32 length = 0;
    u16 type = 0;
    u16 operation = 0;
    u32 flags = 0;
    u32 buffer = 0;    ///< buf_alloc: what the sender of this can hold
    u32 forwarded = 0; ///< fwd_cnt: of what it got, what its reader has taken
};
static_assert(sizeof(Header) == 44);
inline constexpr u16 kTypeStream = 1;

inline constexpr u16 kRequest = 1, kResponse = 2, kReset = 3, kShutdown = 4, kData = 5,
                     kCreditUpdate = 6, kCreditRequest = 7;
/// Flags of kShutdown.
inline constexpr u32 kNoReceive = 1, kNoSend = 2;

/// §5.10.6.7: the device has lost all streams.
inline constexpr u32 kTransportReset = 0;

} // namespace tandem::devices::virtio_vsock
