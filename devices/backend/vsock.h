#pragma once
/// Streams between ports of the guest and of the host, as a device sees them. machine/host
/// implements it, machine/replay wraps it.
#include "support/bits.h"

#include <compare>
#include <cstddef>
#include <span>
#include <vector>

namespace tandem::devices {

/// The two ends of a stream. While it lives there is no other with the same two.
struct VsockPorts {
    u32 host = 0;
    u32 guest = 0;
    friend auto operator<=>(const VsockPorts &, const VsockPorts &) = default;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.host, self.guest);
    }
};

/// What happens at the host's end.
struct VsockEvent {
    enum class Kind : u8 {
        Opening,  ///< the host wants this stream: accept() or close() answers
        Accepted, ///< the host has what open() asked for
        Data,     ///< bytes for the guest, no more than were granted
        Taken,    ///< the host has taken `count` bytes of what was sent
        Finished, ///< the host sends no more
        Closed,   ///< the host is gone, or there is none: close() follows
    };
    static constexpr Kind kLastKind = Kind::Closed;
    static constexpr std::size_t kMaxBytes = 64u << 10;

    Kind kind{};
    VsockPorts ports;
    u32 count = 0;
    std::vector<std::byte> bytes;
};

class VsockListener {
public:
    virtual ~VsockListener() = default;
    /// Events wait where there were none. Any thread; no lock that the calls below take is held.
    virtual void events_wait() = 0;
};

/// Without a host's end: nothing is opened, and nobody answers. No call blocks or calls the
/// listener: a device may hold its mutex.
class Vsock {
public:
    /// The host's ports of streams that the host opened are these and above.
    static constexpr u32 kFirstHostPort = 1u << 30;

    virtual ~Vsock() = default;
    /// Streams of a device that is restored are still there.
    [[nodiscard]] virtual bool keeps_streams() const { return false; }
    virtual void open(VsockPorts) {}
    virtual void accept(VsockPorts) {}
    /// Bytes of the guest: the device keeps what has not been Taken within its bounds.
    virtual void send(VsockPorts, std::span<const std::byte>) {}
    /// So many more bytes may come as Data.
    virtual void grant(VsockPorts, u32) {}
    /// The guest sends no more.
    virtual void finish(VsockPorts) {}
    /// The stream is gone: what was sent still reaches the host, and no event of it follows.
    virtual void close(VsockPorts) {}
    virtual void close_all() {}
    /// The next event; false if none waits.
    [[nodiscard]] virtual bool receive(VsockEvent &) { return false; }
    /// At most one listener; null removes it and waits for a running call.
    virtual void set_listener(VsockListener *) {}
};

} // namespace tandem::devices
