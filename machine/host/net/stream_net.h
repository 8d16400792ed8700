#pragma once
/// Frames over a stream socket, each behind its length in four bytes, the highest first: what
/// passt(1) speaks, and other emulators' stream back ends. Where the other end closes it, the
/// guest's network is silent from then on, and a line says so.
#include "machine/host/net/net_config.h"
#include "machine/host/net/queued_net.h"

#include <memory>

namespace tandem::machine {

class StreamNet final : public QueuedNet {
public:
    /// Connects to the socket of config.where, or starts passt with config.forwards.
    [[nodiscard]] static Result<std::unique_ptr<StreamNet>> create(const NetConfig &);
    /// passt ends with its socket.
    ~StreamNet() override;

    devices::MacAddress mac() const override { return mac_; }
    u16 mtu() const override { return kNetMtu; }
    bool takes_large_segments() const override { return has_large_segments(kind_); }

private:
    StreamNet(const NetConfig &config, ScopedFd socket, int child)
        : mac_(config.mac), kind_(config.kind), socket_(std::move(socket)), child_(child) {}
    void serve() override;
    /// Adds frames to unsent_ while few bytes wait there, and sends.
    void send_frames();
    /// False: the other end is gone.
    [[nodiscard]] bool receive_frames();

    const devices::MacAddress mac_;
    const NetConfig::Kind kind_;
    ScopedFd socket_;
    int child_; ///< a process to wait for; -1: none
    // The thread's.
    Frame unsent_, received_; ///< bytes; parts of frames at their ends
};

} // namespace tandem::machine
