#pragma once
/// The host's end of a guest's virtio sockets, as sockets in the file system: a client of `path`
/// says "CONNECT PORT\n", hears "OK PORT\n" once a program of the guest has taken the call, and is
/// connected to it; a guest that calls port N of the host reaches whoever listens at path_N. The
/// convention is Firecracker's, which other monitors share.
#include "devices/backend/vsock.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <poll.h>

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tandem::machine {

class HostVsock final : public devices::Vsock {
public:
    /// Listens at `path`, and starts its thread.
    [[nodiscard]] static Result<std::unique_ptr<HostVsock>> create(const std::string &path);
    ~HostVsock() override;

    void open(devices::VsockPorts) override;
    void accept(devices::VsockPorts) override;
    void send(devices::VsockPorts, std::span<const std::byte>) override;
    void grant(devices::VsockPorts, u32) override;
    void finish(devices::VsockPorts) override;
    void close(devices::VsockPorts) override;
    void close_all() override;
    [[nodiscard]] bool receive(devices::VsockEvent &) override;
    void set_listener(devices::VsockListener *) override;

private:
    /// Connections of every kind, at most; more clients wait to be accepted.
    static constexpr std::size_t kMaxConnections = 1024;
    /// "CONNECT 4294967295\n", and some spaces.
    static constexpr std::size_t kMaxGreeting = 32;

    struct Connection {
        ScopedFd fd;
        std::string greeting;            ///< as far as it has come
        std::vector<std::byte> outgoing; ///< what the host has yet to take
        std::size_t sent = 0;            ///< of those
        u64 granted = 0;                 ///< what may be read
        bool has_finished = false;       ///< nothing follows what is outgoing
        bool ends_after_output = false;  ///< it has no stream any more
        bool takes_output = true;        ///< else what is sent is lost
        std::size_t polled = 0;          ///< its place among the descriptors; 0: none

        [[nodiscard]] bool has_output() const { return sent < outgoing.size(); }
    };
    using Streams = std::map<devices::VsockPorts, Connection>;

    HostVsock(std::string path, ScopedFd listener, ScopedFd wake);
    void wake();
    void run();
    void tell_listener();

    // The thread, with mutex_ held.
    void prepare_poll();
    void poll_for(Connection &, short events);
    [[nodiscard]] static short events_of(const Connection &);
    void call_hosts();
    void accept_clients();
    /// Reads a client's greeting; false: it goes.
    [[nodiscard]] bool greet(Connection &, bool &is_complete);
    [[nodiscard]] bool offer(Connection &);
    void read(devices::VsockPorts, Connection &);
    void write(Connection &, const devices::VsockPorts *);
    void event(devices::VsockEvent::Kind, devices::VsockPorts, std::size_t count = 0);
    /// The stream goes; its output, if there is any, still leaves.
    void let_go(Connection &);
    [[nodiscard]] std::size_t connections() const;

    const std::string path_;
    ScopedFd listener_, wake_;
    std::vector<pollfd> polled_; ///< the thread's

    std::mutex mutex_; ///< guards what follows, up to the listener's
    Streams streams_;
    std::list<Connection> strangers_;        ///< that greet, or have output and no stream
    std::vector<devices::VsockPorts> calls_; ///< to be made
    std::deque<devices::VsockEvent> events_;
    u32 next_port_ = kFirstHostPort;
    bool untold_ = false; ///< events have come of which the listener does not know
    bool stopping_ = false;
    std::mutex listener_mutex_; ///< held while the listener is called
    devices::VsockListener *vsock_listener_ = nullptr;
    std::thread thread_;
};

} // namespace tandem::machine
