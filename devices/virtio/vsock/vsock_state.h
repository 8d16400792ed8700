#pragma once
/// What the virtio socket device saves.
#include "devices/backend/vsock.h"
#include "devices/core/state.h"

namespace tandem::devices {

/// One stream. Counts run freely modulo 2^32, as in the packets.
struct VsockStream {
    enum class Phase : u8 {
        Offered, ///< the host opens it; the driver has not answered
        Asked,   ///< the guest opens it; the host has not answered
        Open,
    };
    /// What the driver has to be told yet, in the order in which it is.
    static constexpr u8 kOweRequest = 1 << 0, kOweResponse = 1 << 1, kOweCredit = 1 << 2,
                        kOweQuestion = 1 << 3, kOweShutdown = 1 << 4;

    VsockPorts ports;
    Phase phase{};
    u8 owed = 0;
    bool is_queued = false;     ///< among those that have something for the driver
    bool host_finished = false; ///< sends no more
    bool host_closed = false;   ///< and takes no more
    bool guest_receives = true;
    bool has_asked = false;                    ///< for credit, since the driver last said anything
    u32 guest_buffer = 0, guest_forwarded = 0; ///< as the driver last said
    u32 sent = 0;                              ///< to the guest
    u32 received = 0, taken = 0;               ///< of the guest's, by the device and by the host
    u32 said_taken = 0;                        ///< as the driver was told
    u32 granted = 0;                           ///< to the host, of which nothing has come yet
    std::vector<u8> waiting;                   ///< for the guest

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.ports, self.phase, self.owed, self.is_queued, self.host_finished,
                self.host_closed, self.guest_receives, self.has_asked, self.guest_buffer,
                self.guest_forwarded, self.sent, self.received, self.taken, self.said_taken,
                self.granted, self.waiting);
    }
};

struct VirtioVsockState {
    static constexpr u32 kVersion = 1;

    /// The driver has to drop its streams. New ones wait until it has.
    enum class TransportReset : u8 { None, Owed, Told };
    TransportReset transport_reset{};
    std::vector<VsockStream> streams; ///< by their ports
    std::vector<VsockPorts> queued;   ///< whose turn it is, first to last
    std::vector<VsockPorts> resets;   ///< packets for streams that are none

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.streams, self.queued, self.resets, self.transport_reset);
    }
};

} // namespace tandem::devices
