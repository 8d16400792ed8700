#pragma once
/// A private network for the guest, inside this process (libslirp): the guest gets its address by
/// DHCP, reaches the host as 10.0.2.2 and the world through the host's own sockets; no privileges.
#include "machine/host/net/net_config.h"
#include "machine/host/net/queued_net.h"

#include <poll.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

struct Slirp;
struct SlirpCb;

namespace tandem::machine {

/// Whether the ports that lead to the guest are open from the start.
enum class Forwards : u8 { Open, Closed };

class UserNet final : public QueuedNet {
public:
    /// Starts its thread. Fails if a port of the host is taken.
    [[nodiscard]] static Result<std::unique_ptr<UserNet>> create(const NetConfig &,
                                                                 Forwards = Forwards::Open);
    ~UserNet() override;

    // Any thread but its own; one at a time.
    [[nodiscard]] Result<> add_forward(const HostForward &);
    [[nodiscard]] Result<> remove_forward(const HostForward &);
    /// Gives up the ports of the host that lead to the guest, so that another process can have
    /// them.
    void close_forwards();
    [[nodiscard]] Result<> open_forwards();

    devices::MacAddress mac() const override { return config_.mac; }
    u16 mtu() const override { return kNetMtu; }
    bool takes_large_segments() const override { return has_large_segments(NetConfig::Kind::User); }

private:
    struct Timer {
        void (*callback)(void *);
        void *argument;
        i64 due_ms = -1; ///< -1: not running
    };
    explicit UserNet(const NetConfig &config) : config_(config) {}
    [[nodiscard]] Result<> check_boot_files() const;
    [[nodiscard]] Result<> start(Forwards);
    [[nodiscard]] Result<> forward(const HostForward &);
    /// False: there is none.
    [[nodiscard]] bool end_forward(const HostForward &);
    /// Has its thread do this, and waits.
    void call(const std::function<void()> &);
    void make_calls();
    static const SlirpCb &callbacks();
    void serve() override;
    void run_timers();
    void pass_to_slirp();

    NetConfig config_;       ///< changed by the thread alone, once that runs
    Slirp *slirp_ = nullptr; ///< used by its thread alone, once that runs
    std::vector<std::unique_ptr<Timer>> timers_;
    std::vector<pollfd> polled_;

    std::mutex mutex_;                            ///< guards what follows
    const std::function<void()> *call_ = nullptr; ///< to be made by the thread
    std::condition_variable call_made_;
};

} // namespace tandem::machine
