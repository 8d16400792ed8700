#include "machine/move/relay.h"

#include "machine/host/unix_socket.h"
#include "machine/host/write_all.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace tandem::machine::move {

Result<> relay(const std::string &socket_path, int in, int out) {
    const ScopedFd socket = connect_to(socket_path);
    if (!socket.is_open())
        return failure(fmt::format("{}: nobody waits for a machine there; try again", socket_path));
    std::vector<std::byte> buffer(256 * 1024);
    struct Way {
        int from, to;
        bool has_ended = false;
    };
    std::array<Way, 2> ways{Way{in, socket.get()}, Way{socket.get(), out}};
    while (!ways[0].has_ended || !ways[1].has_ended) {
        std::array<pollfd, 2> polled{};
        for (std::size_t i = 0; i < ways.size(); ++i)
            polled[i] = {ways[i].has_ended ? -1 : ways[i].from, POLLIN, 0};
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
            return failure(fmt::format("{}: {}", socket_path, std::strerror(errno)));
        for (std::size_t i = 0; i < ways.size(); ++i) {
            if (polled[i].revents == 0) continue;
            Way &way = ways[i];
            const ssize_t got = ::read(way.from, buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            way.has_ended =
                got <= 0 ||
                !write_all(way.to, std::span(buffer).first(static_cast<std::size_t>(got)));
            // The machine says no more: there is nobody to pass anything on to, either.
            if (way.has_ended && i == 1) ways[0].has_ended = true;
            if (way.has_ended && i == 0) ::shutdown(socket.get(), SHUT_WR);
        }
    }
    return {};
}

} // namespace tandem::machine::move
