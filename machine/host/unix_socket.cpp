#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace tandem::machine {
namespace {

/// False if the path is too long for a socket.
bool address_of(const std::string &path, sockaddr_un &address) {
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return true;
}

const sockaddr *generic(const sockaddr_un &address) {
    return reinterpret_cast<const sockaddr *>(&address);
}

} // namespace

ScopedFd connect_to(const std::string &path, int flags) {
    sockaddr_un address{};
    if (!address_of(path, address)) return {};
    ScopedFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
    if (!fd.is_open() || ::connect(fd.get(), generic(address), sizeof address) != 0) return {};
    return fd;
}

Result<ScopedFd> listen_at(const std::string &path, const std::string &option) {
    const auto failed = [&](std::string_view why, std::string_view mend) {
        return failure(fmt::format("{} unix:{}: {}; {}", option, path, why, mend));
    };
    // Made beside it and moved there: whoever sees the file can connect.
    const std::string staging =
        fmt::format("{}.{}", path.substr(0, path.rfind('/') + 1), ::getpid());
    sockaddr_un address{}, staged{};
    if (!address_of(path, address) || !address_of(staging, staged))
        return failed("not a socket's path, which has 1 to 107 bytes", "use another");
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) return failed("there is a file already", "use another path");
        if (connect_to(path).is_open())
            return failed("in use by another process", "stop it, or use another path");
    }
    ::unlink(staging.c_str());
    ScopedFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // The mode that the file gets: whoever may connect controls the machine.
    if (!fd.is_open() || ::fchmod(fd.get(), 0600) != 0 ||
        ::bind(fd.get(), generic(staged), sizeof staged) != 0 || ::listen(fd.get(), 8) != 0 ||
        ::rename(staging.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(staging.c_str());
        return failed(std::strerror(error), "use another path");
    }
    return fd;
}

} // namespace tandem::machine
