#pragma once
/// The sockets of a deterministic machine.
#include "devices/backend/vsock.h"
#include "machine/replay/gate.h"

#include <deque>
#include <set>

namespace tandem::machine::replay {

class GatedVsock final : public devices::Vsock, private devices::VsockListener, private GatePort {
public:
    /// `host` outlives it.
    GatedVsock(Gate &, devices::Vsock &host);
    ~GatedVsock() override;

    /// What the host's ends say is in the recording, if they are not there.
    bool keeps_streams() const override { return true; }
    void open(devices::VsockPorts) override;
    void accept(devices::VsockPorts) override;
    void send(devices::VsockPorts, std::span<const std::byte>) override;
    void grant(devices::VsockPorts ports, u32 count) override {
        if (gate_.is_live()) host_.grant(ports, count);
    }
    void finish(devices::VsockPorts) override;
    void close(devices::VsockPorts) override;
    void close_all() override;
    bool receive(devices::VsockEvent &) override;
    void set_listener(devices::VsockListener *listener) override { listener_ = listener; }

    // The machine's thread, between two instructions.
    /// The gate has gone live: streams of before have nobody at their end.
    void went_live();
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    /// Events that the guest has not taken; more wait with the host.
    static constexpr std::size_t kMaxWaiting = 256;

    void events_wait() override { gate_.arrived(); }
    bool fetch(std::vector<std::byte> &piece) override;
    void enter(std::span<const std::byte> piece) override;
    /// Something but bytes leaves the machine.
    void note(u8 what, devices::VsockPorts);

    Gate &gate_;
    devices::Vsock &host_;
    PortId port_;
    devices::VsockListener *listener_ = nullptr;
    std::set<devices::VsockPorts> streams_; ///< that the guest knows, or is about to
    std::deque<devices::VsockEvent> waiting_;
};

} // namespace tandem::machine::replay
