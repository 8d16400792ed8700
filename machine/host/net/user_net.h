#pragma once
/// A private network for the guest, inside this process (libslirp): the guest gets its address by
/// DHCP, reaches the host as 10.0.2.2 and the world through the host's own sockets; no privileges.
#include "devices/backend/net.h"
#include "machine/host/net/net_config.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <poll.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

struct Slirp;
struct SlirpCb;

namespace tandem::machine {

/// Whether the ports that lead to the guest are open from the start.
enum class Forwards : u8 { Open, Closed };

class UserNet final : public devices::Net {
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

    devices::MacAddress mac() const override { return kUserNetMac; }
    u16 mtu() const override { return kUserNetMtu; }
    bool takes_large_segments() const override { return true; }
    void send(std::span<const std::byte> frame) override;
    std::size_t receive(std::span<std::byte> frame) override;
    void set_listener(devices::NetListener *) override;

private:
    struct Timer {
        void (*callback)(void *);
        void *argument;
        i64 due_ms = -1; ///< -1: not running
    };
    using Frame = std::vector<std::byte>;
    /// Frames that wait in one direction, at most; more are lost, as on a wire.
    static constexpr std::size_t kMaxWaiting = 1024;

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
    void run();
    void run_timers();
    void pass_to_slirp();
    void tell_listener();

    NetConfig config_;       ///< changed by the thread alone, once that runs
    Slirp *slirp_ = nullptr; ///< used by its thread alone, once that runs
    std::vector<std::unique_ptr<Timer>> timers_;
    std::vector<pollfd> polled_;
    ScopedFd wake_;
    std::thread thread_;

    std::mutex mutex_;                            ///< guards what follows, up to the listener's
    const std::function<void()> *call_ = nullptr; ///< to be made by the thread
    std::condition_variable call_made_;
    std::deque<Frame> from_guest_, to_guest_;
    bool stopping_ = false;
    bool untold_ = false;       ///< frames have come of which the listener does not know
    std::mutex listener_mutex_; ///< held while the listener is called
    devices::NetListener *listener_ = nullptr;
};

} // namespace tandem::machine
