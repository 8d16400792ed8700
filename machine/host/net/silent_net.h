#pragma once
/// A user network without the world behind it: all frames are taken and none comes. A replay has
/// it, whose recording has the frames.
#include "devices/backend/net.h"
#include "machine/host/net/net_config.h"

namespace tandem::machine {

class SilentNet final : public devices::Net {
public:
    devices::MacAddress mac() const override { return kUserNetMac; }
    u16 mtu() const override { return kUserNetMtu; }
    bool takes_large_segments() const override { return true; }
    void send(std::span<const std::byte>) override {}
    std::size_t receive(std::span<std::byte>) override { return 0; }
    void set_listener(devices::NetListener *) override {}
};

} // namespace tandem::machine
