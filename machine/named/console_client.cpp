#include "machine/named/console_client.h"

#include "machine/host/escape_filter.h"
#include "machine/host/terminal.h"
#include "machine/host/unix_socket.h"
#include "machine/host/watcher.h"
#include "machine/host/write_all.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace tandem::machine {
namespace {

constexpr std::string_view kHelp = "\r\nCtrl-A x leaves the console, Ctrl-A p presses the power "
                                   "key, Ctrl-A Ctrl-A sends Ctrl-A\r\n";

} // namespace

Result<> attach_console(const std::string &path, const std::function<void()> &press_power_key) {
    const ScopedFd line = connect_to(path);
    if (!line.is_open())
        return failure(fmt::format("{}: nobody serves it; start the machine", path));
    const ScopedFd ended{::eventfd(0, EFD_CLOEXEC)};
    // It must not die of a signal with the terminal raw.
    const Watcher watcher(0, [&ended](int) { ::eventfd_write(ended.get(), 1); }, [] {});
    const RawTerminal terminal;
    EscapeFilter escape;
    std::array<std::byte, 4096> buffer{};
    std::array<pollfd, 3> polled{
        {{STDIN_FILENO, POLLIN, 0}, {line.get(), POLLIN, 0}, {ended.get(), POLLIN, 0}}};
    for (;;) {
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return {};
        if (polled[2].revents != 0) return {};
        if (polled[1].revents != 0) {
            const ssize_t got = ::read(line.get(), buffer.data(), buffer.size());
            if (got <= 0 ||
                !write_all(STDOUT_FILENO, std::span(buffer).first(static_cast<std::size_t>(got))))
                return {};
        }
        if (polled[0].revents == 0) continue;
        const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got <= 0) return {};
        std::vector<std::byte> kept;
        const auto command =
            escape.filter(std::span(buffer).first(static_cast<std::size_t>(got)), kept);
        if (!write_all(line.get(), kept)) return {};
        if (command == EscapeFilter::Command::Quit) return {};
        if (command == EscapeFilter::Command::PowerKey) press_power_key();
        if (command == EscapeFilter::Command::Help)
            static_cast<void>(write_all(STDOUT_FILENO, std::as_bytes(std::span(kHelp))));
    }
}

} // namespace tandem::machine
