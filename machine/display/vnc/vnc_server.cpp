#include "machine/display/vnc/vnc_server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace tandem::machine {

namespace {

/// How long a server waits that has no descriptors left.
constexpr std::chrono::milliseconds kBreath{100};

VncPeer peer_at(const sockaddr_storage &address, socklen_t length) {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> service{};
    if (::getnameinfo(reinterpret_cast<const sockaddr *>(&address), length, host.data(),
                      host.size(), service.data(), service.size(),
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return {};
    return {host.data(), service.data(), address.ss_family == AF_INET6 ? "ipv6" : "ipv4"};
}

} // namespace

Result<std::unique_ptr<VncService>> VncServer::create(VncStart start, const DisplayWiring &wiring) {
    ScopedFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake.is_open())
        return failure(
            fmt::format("--display vnc: {}; free some file descriptors", std::strerror(errno)));
    return std::unique_ptr<VncService>{new VncServer(std::move(start), wiring, std::move(wake))};
}

VncServer::VncServer(VncStart start, const DisplayWiring &wiring, ScopedFd wake)
    : wiring_(wiring), listener_(std::move(start.listener)), wake_(std::move(wake)),
      password_(std::move(start.password)),
      common_{.wiring = wiring_,
              .head = start.head,
              .has_password = start.has_password,
              .password =
                  [this] {
                      const std::lock_guard lock(mutex_);
                      return password_;
                  },
              .session_over = [this] { ::eventfd_write(wake_.get(), 1); },
              .screens = screens_},
      thread_([this] { run(); }) {}

VncServer::~VncServer() {
    {
        const std::lock_guard lock(mutex_);
        stops_ = true;
    }
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
    // Without the mutex, which a session may want for its password.
    for (const auto &session : sessions_) session->stop();
    sessions_.clear();
}

VncInfo VncServer::info() const {
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    VncInfo info;
    if (::getsockname(listener_.get(), reinterpret_cast<sockaddr *>(&bound), &length) == 0)
        info.server = peer_at(bound, length);
    info.has_password = common_.has_password;
    const std::lock_guard lock(mutex_);
    for (const auto &session : sessions_)
        if (session->is_let_in()) info.clients.push_back(session->peer());
    return info;
}

void VncServer::set_password(const std::string &password) {
    const std::lock_guard lock(mutex_);
    password_ = password;
}

void VncServer::run() {
    for (;;) {
        std::array<pollfd, 2> polled{{{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
        ::poll(polled.data(), polled.size(), -1);
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        std::list<std::unique_ptr<VncSession>> over; // go without the mutex
        {
            const std::lock_guard lock(mutex_);
            if (stops_) return;
            for (auto session = sessions_.begin(); session != sessions_.end();) {
                const auto next = std::next(session);
                if ((*session)->is_over()) over.splice(over.end(), sessions_, session);
                session = next;
            }
        }
        over.clear();
        if ((polled[0].revents & POLLIN) != 0) accept_client();
    }
}

bool VncServer::make_room() {
    std::unique_ptr<VncSession> given_up;
    {
        const std::lock_guard lock(mutex_);
        if (sessions_.size() < kMaxSessions) return true;
        const auto oldest = std::ranges::find_if(
            sessions_, [](const auto &session) { return !session->is_let_in(); });
        if (oldest == sessions_.end()) return false;
        given_up = std::move(*oldest);
        sessions_.erase(oldest);
    }
    return true; // after its end
}

void VncServer::accept_client() {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    ScopedFd socket{::accept4(listener_.get(), reinterpret_cast<sockaddr *>(&address), &length,
                              SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!socket.is_open()) {
        // Else it would be asked again at once, and in vain.
        if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(kBreath);
        return;
    }
    ScopedFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake.is_open() || !make_room()) return;
    auto session = std::make_unique<VncSession>(common_, std::move(socket), std::move(wake),
                                                peer_at(address, length));
    const std::lock_guard lock(mutex_);
    sessions_.push_back(std::move(session));
}

} // namespace tandem::machine
