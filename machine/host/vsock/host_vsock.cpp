#include "machine/host/vsock/host_vsock.h"

#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace tandem::machine {

using devices::VsockEvent;
using devices::VsockPorts;
using Kind = VsockEvent::Kind;

Result<std::unique_ptr<HostVsock>> HostVsock::create(const std::string &path) {
    static constexpr std::size_t kMostOfPath = 107, kLongestPort = sizeof("_4294967295") - 1;
    if (path.size() + kLongestPort > kMostOfPath)
        return failure(fmt::format("--vsock path={}: too long for the sockets beside it, which "
                                   "are {}_PORT; use one of {} bytes at most",
                                   path, path, kMostOfPath - kLongestPort));
    ScopedFd listener = TRY(listen_at(path, "--vsock"));
    ScopedFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake.is_open())
        return failure(
            fmt::format("--vsock: {}; free some file descriptors", std::strerror(errno)));
    return std::unique_ptr<HostVsock>{new HostVsock(path, std::move(listener), std::move(wake))};
}

HostVsock::HostVsock(std::string path, ScopedFd listener, ScopedFd wake)
    : path_(std::move(path)), listener_(std::move(listener)), wake_(std::move(wake)),
      thread_([this] { run(); }) {}

HostVsock::~HostVsock() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake();
    thread_.join();
    ::unlink(path_.c_str());
}

void HostVsock::wake() {
    ::eventfd_write(wake_.get(), 1);
}

// ------------------------------------------------------------------------------------ the device

void HostVsock::open(VsockPorts ports) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(ports);
    wake();
}

void HostVsock::accept(VsockPorts ports) {
    const std::lock_guard lock(mutex_);
    const auto stream = streams_.find(ports);
    if (stream == streams_.end()) return;
    const std::string answer = fmt::format("OK {}\n", ports.host);
    const auto bytes = std::as_bytes(std::span(answer));
    Connection &connection = stream->second;
    connection.outgoing.insert(connection.outgoing.end(), bytes.begin(), bytes.end());
    connection.greeting = answer; // so that write() knows what is not the guest's
    wake();
}

void HostVsock::send(VsockPorts ports, std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    const auto stream = streams_.find(ports);
    if (stream == streams_.end()) return;
    Connection &connection = stream->second;
    if (connection.takes_output)
        connection.outgoing.insert(connection.outgoing.end(), bytes.begin(), bytes.end());
    else
        event(Kind::Taken, ports, bytes.size());
    wake();
}

void HostVsock::grant(VsockPorts ports, u32 count) {
    const std::lock_guard lock(mutex_);
    const auto stream = streams_.find(ports);
    if (stream == streams_.end()) return;
    if (std::exchange(stream->second.granted, stream->second.granted + count) == 0) wake();
}

void HostVsock::finish(VsockPorts ports) {
    const std::lock_guard lock(mutex_);
    const auto stream = streams_.find(ports);
    if (stream == streams_.end()) return;
    stream->second.has_finished = true;
    if (!stream->second.has_output()) ::shutdown(stream->second.fd.get(), SHUT_WR);
}

void HostVsock::close(VsockPorts ports) {
    const std::lock_guard lock(mutex_);
    std::erase(calls_, ports);
    std::erase_if(events_, [&](const VsockEvent &each) { return each.ports == ports; });
    const auto stream = streams_.find(ports);
    if (stream == streams_.end()) return;
    let_go(stream->second);
    streams_.erase(stream);
    wake();
}

void HostVsock::let_go(Connection &connection) {
    if (!connection.has_output()) return;
    connection.ends_after_output = true;
    strangers_.push_back(std::move(connection));
}

void HostVsock::close_all() {
    const std::lock_guard lock(mutex_);
    calls_.clear();
    events_.clear();
    for (auto &[ports, connection] : streams_) let_go(connection);
    streams_.clear();
    wake();
}

bool HostVsock::receive(VsockEvent &next) {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return false;
    next = std::move(events_.front());
    events_.pop_front();
    return true;
}

void HostVsock::set_listener(devices::VsockListener *listener) {
    const std::lock_guard lock(listener_mutex_);
    vsock_listener_ = listener;
}

void HostVsock::tell_listener() {
    {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(untold_, false)) return;
    }
    const std::lock_guard lock(listener_mutex_);
    if (vsock_listener_ != nullptr) vsock_listener_->events_wait();
}

// ------------------------------------------------------------------------------------ the thread

void HostVsock::event(Kind kind, VsockPorts ports, std::size_t count) {
    events_.push_back(
        {.kind = kind, .ports = ports, .count = static_cast<u32>(count), .bytes = {}});
    untold_ = true;
}

std::size_t HostVsock::connections() const {
    return streams_.size() + strangers_.size();
}

short HostVsock::events_of(const Connection &connection) {
    short events = 0;
    if (connection.granted != 0) events |= POLLIN;
    if (connection.has_output()) events |= POLLOUT;
    return events;
}

void HostVsock::poll_for(Connection &connection, short events) {
    // Without events it is left out: a hang-up is looked at when it can be dealt with.
    connection.polled = events == 0 ? 0 : polled_.size();
    if (events != 0) polled_.push_back({connection.fd.get(), events, 0});
}

void HostVsock::prepare_poll() {
    const bool has_room = connections() < kMaxConnections;
    polled_.assign({{wake_.get(), POLLIN, 0}, {has_room ? listener_.get() : -1, POLLIN, 0}});
    for (auto &[ports, connection] : streams_) poll_for(connection, events_of(connection));
    for (Connection &connection : strangers_)
        poll_for(connection, connection.ends_after_output ? POLLOUT : POLLIN);
}

void HostVsock::run() {
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) break;
            call_hosts();
            prepare_poll();
        }
        tell_listener();
        ::poll(polled_.data(), polled_.size(), -1);
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        const std::lock_guard lock(mutex_);
        const auto happened = [this](const Connection &connection) {
            // What came after the poll is not in it, nor is what moved since.
            return connection.polled != 0 && polled_[connection.polled].fd == connection.fd.get() &&
                   polled_[connection.polled].revents != 0;
        };
        for (auto &[ports, connection] : streams_) {
            if (!happened(connection)) continue;
            if (connection.has_output()) write(connection, &ports);
            if (connection.granted != 0) read(ports, connection);
        }
        for (auto stranger = strangers_.begin(); stranger != strangers_.end();) {
            bool stays = true, is_complete = false;
            if (happened(*stranger)) {
                if (stranger->ends_after_output) {
                    write(*stranger, nullptr);
                    stays = stranger->has_output();
                } else {
                    stays = greet(*stranger, is_complete);
                    if (is_complete) stays = offer(*stranger);
                }
            }
            stranger = stays && !is_complete ? std::next(stranger) : strangers_.erase(stranger);
        }
        if ((polled_[1].revents & POLLIN) != 0) accept_clients();
    }
    // What fits into their sockets still reaches those who wait for a guest's last words.
    for (Connection &stranger : strangers_)
        if (stranger.has_output()) write(stranger, nullptr);
}

void HostVsock::call_hosts() {
    for (const VsockPorts &ports : calls_) {
        ScopedFd fd = connections() < kMaxConnections
                          ? connect_to(fmt::format("{}_{}", path_, ports.host), SOCK_NONBLOCK)
                          : ScopedFd{};
        if (!fd.is_open()) {
            event(Kind::Closed, ports);
            continue;
        }
        streams_[ports].fd = std::move(fd);
        event(Kind::Accepted, ports);
    }
    calls_.clear();
}

void HostVsock::accept_clients() {
    while (connections() < kMaxConnections) {
        ScopedFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!fd.is_open()) return;
        strangers_.emplace_back().fd = std::move(fd);
    }
}

bool HostVsock::greet(Connection &connection, bool &is_complete) {
    // Byte by byte: what follows the line is the stream's.
    for (char c = 0;;) {
        const ssize_t got = ::recv(connection.fd.get(), &c, 1, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        if (c == '\n') break;
        connection.greeting += c;
        if (connection.greeting.size() == kMaxGreeting) return false;
    }
    is_complete = true;
    return true;
}

bool HostVsock::offer(Connection &connection) {
    static constexpr std::string_view kVerb = "CONNECT ";
    std::string_view line = connection.greeting;
    if (line.ends_with('\r')) line.remove_suffix(1);
    u32 guest_port = 0;
    if (!line.starts_with(kVerb)) return false;
    line.remove_prefix(kVerb.size());
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), guest_port);
    if (error != std::errc{} || end != line.data() + line.size()) return false;
    VsockPorts ports{.host = next_port_, .guest = guest_port};
    while (streams_.contains(ports)) ports.host = std::max(ports.host + 1, kFirstHostPort);
    next_port_ = std::max(ports.host + 1, kFirstHostPort);
    connection.greeting.clear();
    connection.polled = 0;
    streams_[ports] = std::move(connection);
    event(Kind::Opening, ports);
    return true;
}

void HostVsock::read(VsockPorts ports, Connection &connection) {
    std::array<std::byte, VsockEvent::kMaxBytes> buffer;
    const std::size_t wanted = std::min<u64>(connection.granted, buffer.size());
    const ssize_t got = ::recv(connection.fd.get(), buffer.data(), wanted, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got > 0) {
        connection.granted -= static_cast<u64>(got);
        events_.push_back({.kind = Kind::Data,
                           .ports = ports,
                           .count = 0,
                           .bytes = {buffer.begin(), buffer.begin() + got}});
        untold_ = true;
        return;
    }
    // Its end: of one direction, or of both.
    connection.granted = 0;
    pollfd state{connection.fd.get(), POLLOUT, 0};
    const bool is_gone = got < 0 || (::poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0);
    event(is_gone ? Kind::Closed : Kind::Finished, ports);
}

void HostVsock::write(Connection &connection, const VsockPorts *ports) {
    const auto rest = std::span(connection.outgoing).subspan(connection.sent);
    const ssize_t sent = ::send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (sent < 0) {
        // It takes no more; what it has said before is still read.
        connection.takes_output = false;
        if (ports != nullptr) event(Kind::Taken, *ports, rest.size());
        connection.outgoing.clear();
        connection.sent = 0;
        return;
    }
    auto count = static_cast<std::size_t>(sent);
    connection.sent += count;
    // The answer to a greeting is not the guest's.
    const std::size_t own = std::min(count, connection.greeting.size());
    connection.greeting.erase(0, own);
    count -= own;
    if (ports != nullptr && count != 0) event(Kind::Taken, *ports, count);
    if (connection.has_output()) return;
    connection.outgoing.clear();
    connection.sent = 0;
    if (connection.has_finished) ::shutdown(connection.fd.get(), SHUT_WR);
}

} // namespace tandem::machine
