#pragma once
/// An input device of a deterministic machine.
#include "devices/backend/input.h"
#include "machine/replay/gate.h"

#include <deque>

namespace tandem::machine::replay {

class GatedInput final : public devices::Input, private devices::InputListener, private GatePort {
public:
    /// `host` outlives it.
    GatedInput(Gate &, devices::Input &host);
    ~GatedInput() override;

    bool receive(devices::InputReport &) override;
    void set_lights(devices::InputLights) override;
    void set_listener(devices::InputListener *listener) override { listener_ = listener; }

    // The machine's thread, between two instructions.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    /// Reports that the guest has not taken; more wait with the host.
    static constexpr std::size_t kMaxWaiting = 256;

    void reports_wait() override { gate_.arrived(); }
    bool fetch(std::vector<std::byte> &piece) override;
    void enter(std::span<const std::byte> piece) override;

    Gate &gate_;
    devices::Input &host_;
    PortId port_;
    devices::InputListener *listener_ = nullptr;
    std::deque<devices::InputReport> waiting_;
};

} // namespace tandem::machine::replay
