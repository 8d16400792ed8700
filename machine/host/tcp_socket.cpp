#include "machine/host/tcp_socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace tandem::machine {

Result<ScopedFd> listen_on(std::string_view option, const std::string &address, u16 port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo *found = nullptr;
    const std::string service = fmt::format("{}", port);
    if (const int status = ::getaddrinfo(address.empty() ? nullptr : address.c_str(),
                                         service.c_str(), &hints, &found);
        status != 0)
        return failure(fmt::format("{} tcp:{}:{}: {}; check the address", option, address, port,
                                   ::gai_strerror(status)));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
    ScopedFd listener{::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int yes = 1;
    if (listener.is_open())
        ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (!listener.is_open() || ::bind(listener.get(), found->ai_addr, found->ai_addrlen) != 0 ||
        ::listen(listener.get(), 4) != 0)
        return failure(fmt::format("{} tcp:{}:{}: {}; choose another port", option, address, port,
                                   std::strerror(errno)));
    return listener;
}

std::string local_name(const ScopedFd &fd) {
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&bound), &length) != 0 ||
        ::getnameinfo(reinterpret_cast<sockaddr *>(&bound), length, host.data(), host.size(),
                      port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return "an unknown address";
    return fmt::format("{} port {}", host.data(), port.data());
}

} // namespace tandem::machine
