#pragma once
/// A network port of a deterministic machine.
#include "devices/backend/net.h"
#include "machine/replay/gate.h"

#include <deque>

namespace tandem::machine::replay {

class GatedNet final : public devices::Net, private devices::NetListener, private GatePort {
public:
    /// `host` outlives it.
    GatedNet(Gate &, devices::Net &host);
    ~GatedNet() override;

    devices::MacAddress mac() const override { return host_.mac(); }
    u16 mtu() const override { return host_.mtu(); }
    bool takes_large_segments() const override { return host_.takes_large_segments(); }
    void send(std::span<const std::byte> frame) override;
    std::size_t receive(std::span<std::byte> frame) override;
    void set_listener(devices::NetListener *listener) override { listener_ = listener; }

    // The machine's thread, between two instructions.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    /// Frames that the guest has not taken; more wait with the host.
    static constexpr std::size_t kMaxWaiting = 256;

    void frames_wait() override { gate_.arrived(); }
    bool fetch(std::vector<std::byte> &piece) override;
    void enter(std::span<const std::byte> piece) override;

    Gate &gate_;
    devices::Net &host_;
    PortId port_;
    devices::NetListener *listener_ = nullptr;
    std::deque<std::vector<std::byte>> waiting_;
};

} // namespace tandem::machine::replay
