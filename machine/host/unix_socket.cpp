#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
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

ScopedFd connect_to(const std::string &path) {
    sockaddr_un address{};
    if (!address_of(path, address)) return {};
    ScopedFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd.is_open() || ::connect(fd.get(), generic(address), sizeof address) != 0) return {};
    return fd;
}

Result<ScopedFd> listen_at(const std::string &path, const std::string &option) {
    const auto failed = [&](std::string_view why, std::string_view mend) {
        return failure(fmt::format("{} unix:{}: {}; {}", option, path, why, mend));
    };
    sockaddr_un address{};
    if (!address_of(path, address))
        return failed("not a socket's path, which has 1 to 107 bytes", "use another");
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) return failed("there is a file already", "use another path");
        if (connect_to(path).is_open())
            return failed("in use by another process", "stop it, or use another path");
        ::unlink(path.c_str());
    }
    ScopedFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // The mode that the file gets: whoever may connect controls the machine.
    if (!fd.is_open() || ::fchmod(fd.get(), 0600) != 0 ||
        ::bind(fd.get(), generic(address), sizeof address) != 0 || ::listen(fd.get(), 8) != 0)
        return failed(std::strerror(errno), "use another path");
    return fd;
}

} // namespace tandem::machine
