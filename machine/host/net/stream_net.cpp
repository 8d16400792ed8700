#include "machine/host/net/stream_net.h"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

extern char **environ;

namespace tandem::machine {
namespace {

constexpr std::size_t kLength = 4;
/// No more is queued for a slow peer: frames that come then are lost.
constexpr std::size_t kMaxUnsent = 1u << 20;
constexpr std::size_t kChunk = 256u << 10;

Result<ScopedFd> connect_to(const std::string &path) {
    const auto failed = [&](const char *why) {
        return failure(
            fmt::format("--net stream={}: {}; start what listens there first", path, why));
    };
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return failed("a path too long for a socket");
    path.copy(address.sun_path, path.size());
    ScopedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.is_open() ||
        ::connect(socket.get(), reinterpret_cast<::sockaddr *>(&address), sizeof address) != 0)
        return failed(std::strerror(errno));
    return socket;
}

struct Passt {
    ScopedFd socket;
    int process;
};

Result<Passt> start_passt(const NetConfig &config) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return failure(
            fmt::format("--net passt: {}; free some file descriptors", std::strerror(errno)));
    ScopedFd ours(ends[0]), theirs(ends[1]);
    constexpr int kTheirs = 3; ///< in passt
    std::vector<std::string> words{"passt", "--foreground", "--quiet", "--fd",
                                   fmt::format("{}", kTheirs)};
    // Without a word about them passt would not forward, or would forward all.
    for (const char *protocol : {"-t", "-u"}) {
        const auto wanted = protocol == std::string_view("-t") ? HostForward::Protocol::Tcp
                                                               : HostForward::Protocol::Udp;
        std::string ports;
        for (const HostForward &forward : config.forwards) {
            if (forward.protocol != wanted) continue;
            words.insert(words.end(), {protocol, fmt::format("{}{}{}:{}", forward.address,
                                                             forward.address.empty() ? "" : "/",
                                                             forward.port, forward.guest_port)});
            ports = "some";
        }
        if (ports.empty()) words.insert(words.end(), {protocol, "none"});
    }
    std::vector<char *> arguments;
    for (std::string &word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    ::posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kTheirs);
    ::posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    // Its own signals: what ends the machine ends it by its socket.
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    ::pid_t process = -1;
    const int error =
        ::posix_spawnp(&process, "passt", &actions, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0)
        return failure(
            fmt::format("--net passt: passt: {}; install it (package passt), or use --net user",
                        std::strerror(error)));
    return Passt{std::move(ours), process};
}

} // namespace

Result<std::unique_ptr<StreamNet>> StreamNet::create(const NetConfig &config) {
    Passt peer{{}, -1};
    if (config.kind == NetConfig::Kind::Passt)
        peer = TRY(start_passt(config));
    else
        peer.socket = TRY(connect_to(config.where));
    std::unique_ptr<StreamNet> net{new StreamNet(config, std::move(peer.socket), peer.process)};
    TRY(net->open_wake(name_of(config.kind)));
    net->start_thread();
    return net;
}

StreamNet::~StreamNet() {
    stop_thread();
    socket_.reset();
    if (child_ >= 0) ::waitpid(child_, nullptr, 0);
}

void StreamNet::send_frames() {
    for (const Frame &frame : take_from_guest()) {
        if (unsent_.size() + frame.size() > kMaxUnsent) continue;
        for (unsigned shift = 32; shift != 0; shift -= 8)
            unsent_.push_back(static_cast<std::byte>(frame.size() >> (shift - 8)));
        unsent_.insert(unsent_.end(), frame.begin(), frame.end());
    }
    const ssize_t sent =
        ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) unsent_.erase(unsent_.begin(), unsent_.begin() + sent);
}

bool StreamNet::receive_frames() {
    const std::size_t had = received_.size();
    received_.resize(had + kChunk);
    const ssize_t size = ::recv(socket_.get(), received_.data() + had, kChunk, MSG_DONTWAIT);
    received_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return false;
    std::span<const std::byte> rest = received_;
    while (rest.size() >= kLength) {
        std::size_t length = 0;
        for (const std::byte byte : rest.first(kLength))
            length = length << 8 | std::to_integer<std::size_t>(byte);
        if (length > kMaxFrame) return false; // no peer of this protocol
        if (rest.size() < kLength + length) break;
        if (length != 0) give_to_guest(rest.subspan(kLength, length));
        rest = rest.subspan(kLength + length);
    }
    received_.erase(received_.begin(), received_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    return true;
}

void StreamNet::serve() {
    bool is_connected = true;
    while (!is_stopping()) {
        std::array<::pollfd, 2> polled{
            ::pollfd{wake_fd(), POLLIN, 0},
            ::pollfd{is_connected ? socket_.get() : -1,
                     static_cast<short>(unsent_.empty() ? POLLIN : POLLIN | POLLOUT), 0}};
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
        clear_wake();
        send_frames();
        if (!is_connected || polled[1].revents == 0) continue;
        is_connected = receive_frames();
        tell_listener();
        if (!is_connected)
            fmt::print(stderr,
                       "tandem: --net {}: the other end is gone; the guest has no network "
                       "any more\r\n",
                       name_of(kind_));
    }
}

} // namespace tandem::machine
