#pragma once
/// An Ethernet port as a device sees it. machine/host implements it, machine/replay wraps it.
#include "support/bits.h"

#include <array>
#include <cstddef>
#include <span>

namespace tandem::devices {

using MacAddress = std::array<u8, 6>;

class NetListener {
public:
    virtual ~NetListener() = default;
    /// Frames wait where there were none. Any thread; no lock that send() or receive() take is
    /// held.
    virtual void frames_wait() = 0;
};

/// Neither direction blocks, and neither calls the listener: a device may hold its mutex.
class Net {
public:
    /// The largest frame: 64 KiB of IP behind its Ethernet header.
    static constexpr std::size_t kMaxFrame = 14 + 65535;

    virtual ~Net() = default;
    [[nodiscard]] virtual MacAddress mac() const = 0;
    [[nodiscard]] virtual u16 mtu() const = 0;
    /// TCP segments larger than the MTU may be sent; the port cuts them, or need not.
    [[nodiscard]] virtual bool takes_large_segments() const = 0;
    /// A frame from the guest, with all its checksums; dropped if there is no room.
    virtual void send(std::span<const std::byte> frame) = 0;
    /// Copies the next frame for the guest, of at most kMaxFrame bytes; 0 if none waits.
    [[nodiscard]] virtual std::size_t receive(std::span<std::byte> frame) = 0;
    /// At most one listener; null removes it and waits for a running call.
    virtual void set_listener(NetListener *) = 0;
};

} // namespace tandem::devices
