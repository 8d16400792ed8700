#include "machine/host/serial.h"

#include "machine/host/escape_filter.h"
#include "machine/host/host_char.h"
#include "machine/host/tcp_socket.h"
#include "machine/host/terminal.h"
#include "machine/host/unix_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tandem::machine {
namespace {

class StdioSerial final : public HostChar {
public:
    explicit StdioSerial(ConsoleCommands &commands) : commands_(commands) {
        start({STDIN_FILENO, STDOUT_FILENO});
    }
    ~StdioSerial() override { stop(); }

private:
    void filter_input(std::vector<std::byte> &bytes) override {
        std::vector<std::byte> kept;
        const auto command = escape_.filter(bytes, kept);
        bytes = std::move(kept);
        if (command == EscapeFilter::Command::Help) write_now(EscapeFilter::kHelp);
        if (command == EscapeFilter::Command::Quit) commands_.quit();
        if (command == EscapeFilter::Command::PowerKey) commands_.press_power_key();
        if (command == EscapeFilter::Command::Save)
            write_now("\r\n" + commands_.save_snapshot() + "\r\n");
    }

    ConsoleCommands &commands_;
    EscapeFilter escape_;
    RawTerminal terminal_;
};

class FileSerial final : public HostChar {
public:
    explicit FileSerial(ScopedFd file) : file_(std::move(file)) { start({-1, file_.get()}); }
    ~FileSerial() override { stop(); }

private:
    ScopedFd file_;
};

/// A client is whoever has the pseudo-terminal's other end open.
class PtySerial final : public HostChar {
public:
    PtySerial(ScopedFd master, ScopedFd opens, Unheard unheard)
        : HostChar(unheard), master_(std::move(master)), opens_(std::move(opens)) {
        start({});
    }
    ~PtySerial() override { stop(); }

private:
    Peer next_peer() override {
        for (;;) {
            pollfd line{master_.get(), POLLIN, 0};
            if (::poll(&line, 1, 0) >= 0 && (line.revents & POLLHUP) == 0)
                return {master_.get(), master_.get()};
            std::array<pollfd, 2> fds{{{opens_.get(), POLLIN, 0}, {stop_fd(), POLLIN, 0}}};
            if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return {};
            if (fds[1].revents != 0) return {};
            std::array<char, 4096> events{};
            if (fds[0].revents != 0 && ::read(opens_.get(), events.data(), events.size()) < 0 &&
                errno != EAGAIN)
                return {};
        }
    }

    ScopedFd master_;
    ScopedFd opens_; ///< an inotify descriptor that tells when someone opens the other end
};

/// Serves one client at a time.
class SocketSerial final : public HostChar {
public:
    SocketSerial(ScopedFd listener, std::string path, Unheard unheard)
        : HostChar(unheard), listener_(std::move(listener)), path_(std::move(path)) {
        start({});
    }
    ~SocketSerial() override {
        stop();
        if (!path_.empty()) ::unlink(path_.c_str());
    }

private:
    Peer next_peer() override {
        for (;;) {
            std::array<pollfd, 2> fds{{{listener_.get(), POLLIN, 0}, {stop_fd(), POLLIN, 0}}};
            if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return {};
            if (fds[1].revents != 0) return {};
            if (fds[0].revents == 0) continue;
            client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!client_.is_open()) continue;
            const int yes = 1; // fails on a socket of another family, which does not wait
            ::setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            return {client_.get(), client_.get()};
        }
    }
    ScopedFd listener_;
    std::string path_; ///< in the file system; empty: none
    ScopedFd client_;
};

} // namespace

std::unique_ptr<devices::Char> create_stdio_serial(ConsoleCommands &commands) {
    return std::make_unique<StdioSerial>(commands);
}

Result<std::unique_ptr<devices::Char>> create_file_serial(const std::string &path) {
    ScopedFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    if (!file.is_open())
        return failure(
            fmt::format("{}: {}; name a file that can be written", path, std::strerror(errno)));
    return std::make_unique<FileSerial>(std::move(file));
}

Result<std::unique_ptr<devices::Char>> create_pty_serial(const LineUse &use) {
    const auto failed = [&use](const char *what) {
        return failure(fmt::format("{} pty: {}: {}; use another {}", use.option, what,
                                   std::strerror(errno), use.option));
    };
    ScopedFd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
    std::array<char, 128> name{};
    if (!master.is_open() || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 ||
        ::ptsname_r(master.get(), name.data(), name.size()) != 0)
        return failed("no pseudo-terminal");
    ScopedFd opens{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    if (!opens.is_open() || ::inotify_add_watch(opens.get(), name.data(), IN_OPEN) < 0)
        return failed("cannot watch it");
    // Raw, or the terminal would echo to the guest what the guest itself wrote. The mode outlasts
    // this descriptor, and closing it is what makes poll() report the lack of a client.
    ScopedFd slave{::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    termios mode{};
    if (!slave.is_open() || ::tcgetattr(slave.get(), &mode) != 0) return failed(name.data());
    ::cfmakeraw(&mode);
    if (::tcsetattr(slave.get(), TCSANOW, &mode) != 0) return failed(name.data());
    slave.reset();
    fmt::print(stderr, "tandem: {} at {}\n", use.line, name.data());
    return std::make_unique<PtySerial>(std::move(master), std::move(opens), use.unheard);
}

Result<std::unique_ptr<devices::Char>> create_tcp_serial(const LineUse &use,
                                                         const std::string &address, u16 port) {
    ScopedFd listener = TRY(listen_on(use.option, address, port));
    fmt::print(stderr, "tandem: {} at {}\n", use.line, local_name(listener));
    return std::make_unique<SocketSerial>(std::move(listener), "", use.unheard);
}

Result<std::unique_ptr<devices::Char>> create_unix_serial(const LineUse &use,
                                                          const std::string &path) {
    ScopedFd listener = TRY(listen_at(path, std::string{use.option}));
    return std::make_unique<SocketSerial>(std::move(listener), path, use.unheard);
}

} // namespace tandem::machine
