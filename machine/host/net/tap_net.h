#pragma once
/// An interface of the host's (Linux, Documentation/networking/tuntap.rst): what the guest sends
/// comes in there. Whoever runs the machine has to be allowed to use it.
#include "machine/host/net/net_config.h"
#include "machine/host/net/queued_net.h"

#include <memory>

namespace tandem::machine {

class TapNet final : public QueuedNet {
public:
    /// The interface of config.where, which is made if it is not there; empty: a new one.
    [[nodiscard]] static Result<std::unique_ptr<TapNet>> create(const NetConfig &);
    ~TapNet() override { stop_thread(); }

    devices::MacAddress mac() const override { return mac_; }
    u16 mtu() const override { return kNetMtu; }
    bool takes_large_segments() const override { return has_large_segments(NetConfig::Kind::Tap); }

private:
    TapNet(devices::MacAddress mac, ScopedFd tap) : mac_(mac), tap_(std::move(tap)) {}
    void serve() override;
    void write_frame(std::span<const std::byte> frame) const;
    void read_frames();

    const devices::MacAddress mac_;
    ScopedFd tap_;
};

} // namespace tandem::machine
