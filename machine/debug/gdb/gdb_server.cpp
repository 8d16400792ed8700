#include "machine/debug/gdb/gdb_server.h"

#include "machine/host/tcp_socket.h"
#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace tandem::machine {

Result<std::unique_ptr<GdbServer>> GdbServer::create(const GdbAddress &address,
                                                     DebugTarget &target) {
    ScopedFd listener;
    if (address.path.empty()) {
        listener = TRY(listen_on("--gdb", address.host, address.port));
        fmt::print(stderr, "tandem: debugger at {}\n", local_name(listener));
    } else {
        listener = TRY(listen_at(address.path, "--gdb"));
    }
    ScopedFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake.is_open())
        return failure(fmt::format("--gdb: {}; free some file descriptors", std::strerror(errno)));
    return std::unique_ptr<GdbServer>{
        new GdbServer(address.path, std::move(listener), std::move(wake), target)};
}

GdbServer::GdbServer(std::string path, ScopedFd listener, ScopedFd wake, DebugTarget &target)
    : path_(std::move(path)), listener_(std::move(listener)), wake_(std::move(wake)),
      target_(target), thread_([this] { run(); }) {}

GdbServer::~GdbServer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
    if (!path_.empty()) ::unlink(path_.c_str());
}

void GdbServer::post(std::function<void(GdbSession &)> event) {
    {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
    }
    ::eventfd_write(wake_.get(), 1);
}

void GdbServer::machine_event(MachineEvent event, EventCause cause) {
    post([=](GdbSession &session) { session.machine_event(event, cause); });
}

void GdbServer::cpu_stopped(u64 run, u32 cpu, const CpuStop &stop) {
    post([=](GdbSession &session) { session.cpu_stopped(run, cpu, stop); });
}

void GdbServer::run() {
    for (;;) {
        serve(-1);
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kFarewellMs);
    pass_events();
    while (session_.has_value() && !session_->output.empty() &&
           std::chrono::steady_clock::now() < end)
        serve(kFarewellMs / 10);
    if (session_.has_value()) drop_client();
}

void GdbServer::pass_events() {
    std::deque<std::function<void(GdbSession &)>> events;
    {
        const std::lock_guard lock(mutex_);
        events.swap(events_);
    }
    if (session_.has_value())
        for (const auto &event : events) event(*session_);
}

bool GdbServer::serve(int timeout_ms) {
    std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    int wanted = 0;
    if (session_.has_value()) wanted = session_->output.empty() ? POLLIN : POLLIN | POLLOUT;
    polled.push_back({client_.get(), static_cast<short>(wanted), 0});
    for (const ScopedFd &fd : refused_) polled.push_back({fd.get(), POLLIN, 0});
    if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return false;
    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);

    std::size_t index = 3;
    for (auto fd = refused_.begin(); fd != refused_.end(); ++index) {
        if (polled[index].revents == 0) {
            ++fd;
            continue;
        }
        refuse(*fd);
        fd = refused_.erase(fd);
    }
    pass_events();
    bool stays = true;
    if ((polled[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0) stays = receive();
    if (session_.has_value() &&
        (!send() || !stays || (session_->is_over() && session_->output.empty())))
        drop_client();
    // When the present one has nothing more to say: its end may follow what has just been read.
    if ((polled[1].revents & POLLIN) != 0 && polled[2].revents == 0) accept_client();
    return true;
}

void GdbServer::accept_client() {
    ScopedFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd.is_open()) return;
    const int yes = 1; // fails on a socket of another family, which does not wait
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (session_.has_value()) {
        if (refused_.size() < kMaxRefused) refused_.push_back(std::move(fd));
        return;
    }
    client_ = std::move(fd);
    target_.attach(*this);
    session_.emplace(target_);
}

void GdbServer::refuse(ScopedFd &fd) {
    const std::string answer = fmt::format(
        "+{}", frame_packet("E.another debugger is connected to this machine; detach it first"));
    std::array<char, 4096> ignored{};
    // One small answer fits into any socket's buffer; who closed already wants none.
    if (::recv(fd.get(), ignored.data(), ignored.size(), 0) > 0)
        static_cast<void>(::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
}

void GdbServer::drop_client() {
    const DebugTarget::AfterDetach then = session_->how_it_ended();
    session_.reset();
    client_.reset();
    target_.detach(then);
}

bool GdbServer::receive() {
    std::array<char, 16 * 1024> buffer{};
    const ssize_t got = ::recv(client_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    session_->receive({buffer.data(), static_cast<std::size_t>(got)});
    return true;
}

bool GdbServer::send() {
    std::string &output = session_->output;
    while (!output.empty()) {
        const ssize_t sent = ::send(client_.get(), output.data(), output.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN && output.size() <= kMaxWaiting;
        output.erase(0, static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace tandem::machine
