#pragma once
/// A network without the world behind it: all frames are taken and none comes. A replay has it,
/// whose recording has the frames.
#include "devices/backend/net.h"
#include "machine/host/net/net_config.h"

namespace tandem::machine {

class SilentNet final : public devices::Net {
public:
    /// In place of one of this kind.
    explicit SilentNet(const NetConfig &config) : mac_(config.mac), kind_(config.kind) {}

    devices::MacAddress mac() const override { return mac_; }
    u16 mtu() const override { return kNetMtu; }
    bool takes_large_segments() const override { return has_large_segments(kind_); }
    void send(std::span<const std::byte>) override {}
    std::size_t receive(std::span<std::byte>) override { return 0; }
    void set_listener(devices::NetListener *) override {}

private:
    const devices::MacAddress mac_;
    const NetConfig::Kind kind_;
};

} // namespace tandem::machine
