#include "machine/move/address.h"

#include "machine/host/tcp_socket.h"
#include "machine/host/unix_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

extern char **environ;

namespace tandem::machine::move {
namespace {

constexpr int kConnectMs = 15'000;
constexpr int kHelperMs = 2'000;

enum class Scheme : u8 { Unix, Tcp, Exec, Fd };

struct Address {
    Scheme scheme;
    std::string rest; ///< the path, host or command
    u16 port = 0;
    int fd = -1;
};

template <typename T>
bool parse_number(std::string_view text, T &value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

std::optional<Address> parse(std::string_view text) {
    static constexpr std::pair<std::string_view, Scheme> kSchemes[] = {{"unix:", Scheme::Unix},
                                                                       {"tcp:", Scheme::Tcp},
                                                                       {"exec:", Scheme::Exec},
                                                                       {"fd:", Scheme::Fd}};
    for (const auto &[name, scheme] : kSchemes) {
        if (!text.starts_with(name)) continue;
        text.remove_prefix(name.size());
        Address address{scheme, std::string{text}};
        if (text.empty()) return {};
        if (scheme == Scheme::Fd && !parse_number(text, address.fd)) return {};
        if (scheme != Scheme::Tcp) return address;
        const std::size_t colon = text.rfind(':');
        if (colon == std::string_view::npos || !parse_number(text.substr(colon + 1), address.port))
            return {};
        text = text.substr(0, colon);
        // An IPv6 address is written in brackets.
        if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
        address.rest = std::string{text};
        return address;
    }
    return {};
}

std::unexpected<Error> cannot_reach(const std::string &address, std::string_view why) {
    return failure(
        fmt::format("{}: {}; start a machine there: tandem run --incoming", address, why));
}

Result<ScopedFd> connect_tcp(const std::string &name, const Address &address) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *found = nullptr;
    if (const int status = ::getaddrinfo(address.rest.empty() ? nullptr : address.rest.c_str(),
                                         fmt::format("{}", address.port).c_str(), &hints, &found);
        status != 0)
        return cannot_reach(name, ::gai_strerror(status));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
    int error = ETIMEDOUT;
    for (const addrinfo *each = found; each != nullptr; each = each->ai_next) {
        ScopedFd fd{::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        if (!fd.is_open()) continue;
        if (::connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0) return fd;
        error = errno;
        if (error != EINPROGRESS) continue;
        pollfd ready{fd.get(), POLLOUT, 0};
        socklen_t length = sizeof error;
        error = ETIMEDOUT;
        if (::poll(&ready, 1, kConnectMs) > 0 &&
            ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0)
            return fd;
    }
    return cannot_reach(name, std::strerror(error));
}

/// Starts a shell whose input and output are the other end of the socket.
Result<pid_t> start_helper(const std::string &command, int socket) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&files);
    // The machine's threads have signals blocked that are to end this one.
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    ::posix_spawn_file_actions_adddup2(&files, socket, 0);
    ::posix_spawn_file_actions_adddup2(&files, socket, 1);
    std::string shell = "sh", option = "-c", line = command;
    std::array<char *, 4> arguments{shell.data(), option.data(), line.data(), nullptr};
    pid_t child = 0;
    const int error =
        ::posix_spawn(&child, "/bin/sh", &files, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) return failure(fmt::format("/bin/sh: {}; try again", std::strerror(error)));
    return child;
}

} // namespace

Helper::~Helper() {
    if (process_ == 0) return;
    const ScopedFd watched{static_cast<int>(::syscall(SYS_pidfd_open, process_, 0))};
    pollfd end{watched.get(), POLLIN, 0};
    if (!watched.is_open() || ::poll(&end, 1, kHelperMs) <= 0) ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
}

Result<> check_address(const std::string &text) {
    const auto address = parse(text);
    if (address.has_value() && address->scheme != Scheme::Fd) return {};
    return failure(fmt::format("{}: no place to move to; write unix:PATH, tcp:HOST:PORT, "
                               "ssh://HOST or exec:COMMAND",
                               text));
}

Result<Connection> connect(const std::string &text) {
    TRY(check_address(text));
    const Address address = *parse(text);
    ScopedFd fd, far_end;
    pid_t helper = 0;
    switch (address.scheme) {
    case Scheme::Unix:
        fd = connect_to(address.rest);
        if (!fd.is_open()) return cannot_reach(text, "nobody listens");
        break;
    case Scheme::Tcp: fd = TRY(connect_tcp(text, address)); break;
    case Scheme::Exec:
    case Scheme::Fd: {
        std::array<int, 2> pair{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
            return cannot_reach(text, std::strerror(errno));
        fd.reset(pair[0]);
        far_end.reset(pair[1]);
        helper = TRY(start_helper(address.rest, far_end.get()));
        break;
    }
    }
    Connection connection{Helper{helper}, std::make_unique<Channel>(std::move(fd), text)};
    far_end.reset();
    if (const auto greeting = connection.channel->greet(); greeting != Channel::Greeting::Sound)
        return connection.channel->bad_greeting(greeting);
    return connection;
}

// ---------------------------------------------------------------------------------------- arrival

Arrival::Arrival(std::string address, ScopedFd listener, std::string socket_path)
    : address_(std::move(address)), listener_(std::move(listener)),
      cancelled_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), socket_path_(std::move(socket_path)) {}

Arrival::~Arrival() {
    if (!socket_path_.empty()) ::unlink(socket_path_.c_str());
}

Result<std::unique_ptr<Arrival>> Arrival::open(const std::string &text) {
    const auto address = parse(text);
    const std::string option = "--incoming";
    if (!address.has_value() || address->scheme == Scheme::Exec)
        return failure(fmt::format("--incoming {}: nowhere a machine can come from; write "
                                   "unix:PATH, tcp:ADDRESS:PORT or fd:N",
                                   text));
    ScopedFd listener;
    std::string path;
    if (address->scheme == Scheme::Unix) {
        listener = TRY(listen_at(address->rest, option));
        path = address->rest;
    } else if (address->scheme == Scheme::Tcp) {
        listener = TRY(listen_on(option, address->rest, address->port));
    } else {
        int listens = 0;
        socklen_t length = sizeof listens;
        if (::getsockopt(address->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0)
            return failure(fmt::format("--incoming {}: {}; pass a socket that is connected, or "
                                       "listens",
                                       text, std::strerror(errno)));
        listener.reset(address->fd);
        ::fcntl(listener.get(), F_SETFD, FD_CLOEXEC);
        if (listens == 0) {
            std::unique_ptr<Arrival> arrival{new Arrival(text, std::move(listener), "")};
            arrival->is_connected_ = true;
            return arrival;
        }
    }
    return std::unique_ptr<Arrival>{new Arrival(text, std::move(listener), std::move(path))};
}

void Arrival::cancel() {
    ::eventfd_write(cancelled_.get(), 1);
    const std::lock_guard lock(mutex_);
    is_cancelled_ = true;
    if (channel_ != nullptr) channel_->cancel();
}

Result<ScopedFd> Arrival::accept() {
    if (is_connected_) return std::move(listener_);
    for (;;) {
        std::array<pollfd, 2> polled{pollfd{listener_.get(), POLLIN, 0},
                                     pollfd{cancelled_.get(), POLLIN, 0}};
        const int ready = ::poll(polled.data(), polled.size(), -1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0 || polled[1].revents != 0) return failure("--incoming: cancelled");
        ScopedFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (fd.is_open()) return fd;
    }
}

Result<> Arrival::connect() {
    for (;;) {
        auto channel = std::make_unique<Channel>(TRY(accept()), "--incoming " + address_);
        {
            const std::lock_guard lock(mutex_);
            if (is_cancelled_) channel->cancel();
            channel_.swap(channel);
        }
        const auto greeting = channel_->greet();
        if (greeting == Channel::Greeting::Sound) return {};
        if (greeting == Channel::Greeting::OtherVersion || channel_->is_cancelled() ||
            is_connected_)
            return channel_->bad_greeting(greeting);
    }
}

Result<std::string> Arrival::manifest() {
    if (target_.has_value()) return manifest_;
    TRY(connect());
    listener_.reset(); // one machine comes, no other
    if (!socket_path_.empty()) ::unlink(std::exchange(socket_path_, {}).c_str());
    target_.emplace(*channel_);
    manifest_ = TRY(target_->manifest());
    return manifest_;
}

} // namespace tandem::machine::move
