#include "machine/semihosting/guest_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tandem::machine {
namespace {

using Errno = std::unexpected<int>;

GuestFolder::Answer<ScopedFd> open_in(const ScopedFd &root, const std::string &name, int flags) {
    ::open_how how{};
    how.flags = static_cast<u64>(flags | O_CLOEXEC);
    if ((flags & O_CREAT) != 0) how.mode = 0666;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, root.get(), name.c_str(), &how, sizeof how);
    if (fd < 0) return Errno(errno);
    return ScopedFd(static_cast<int>(fd));
}

} // namespace

Result<GuestFolder> GuestFolder::open(const std::string &path, bool readonly) {
    ScopedFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open())
        return failure(fmt::format("--semihosting-folder {}: {}; name a folder of this host", path,
                                   std::strerror(errno)));
    return GuestFolder(std::move(folder), readonly);
}

GuestFolder::Answer<ScopedFd> GuestFolder::open_file(const std::string &name, Access access) const {
    if (readonly_ && (access.write || access.create || access.truncate)) return Errno(EROFS);
    // A FIFO does not hold the guest up, nor is it used: what is no file is closed untouched.
    int flags = O_NONBLOCK | O_NOCTTY;
    flags |= access.read && access.write ? O_RDWR : access.write ? O_WRONLY : O_RDONLY;
    if (access.create) flags |= O_CREAT;
    auto file = open_in(folder_, name, flags);
    if (!file.has_value()) return file;
    struct stat status{};
    if (::fstat(file->get(), &status) != 0) return Errno(errno);
    if (S_ISDIR(status.st_mode)) return Errno(EISDIR);
    if (!S_ISREG(status.st_mode)) return Errno(EACCES);
    if (access.truncate && ::ftruncate(file->get(), 0) != 0) return Errno(errno);
    return file;
}

GuestFolder::Answer<GuestFolder::Place> GuestFolder::find(const std::string &name) const {
    if (readonly_) return Errno(EROFS);
    const std::size_t slash = name.rfind('/');
    std::string last = slash == std::string::npos ? name : name.substr(slash + 1);
    if (last.empty() || last == "." || last == "..") return Errno(EINVAL);
    const std::string parent = slash == std::string::npos ? "." : name.substr(0, slash + 1);
    auto folder = open_in(folder_, parent, O_PATH | O_DIRECTORY);
    if (!folder.has_value()) return Errno(folder.error());
    return Place{std::move(*folder), std::move(last)};
}

GuestFolder::Answer<> GuestFolder::remove(const std::string &name) const {
    const auto place = find(name);
    if (!place.has_value()) return Errno(place.error());
    if (::unlinkat(place->folder.get(), place->name.c_str(), 0) != 0) return Errno(errno);
    return {};
}

GuestFolder::Answer<> GuestFolder::rename(const std::string &from, const std::string &to) const {
    const auto old_place = find(from), new_place = find(to);
    if (!old_place.has_value()) return Errno(old_place.error());
    if (!new_place.has_value()) return Errno(new_place.error());
    if (::renameat(old_place->folder.get(), old_place->name.c_str(), new_place->folder.get(),
                   new_place->name.c_str()) != 0)
        return Errno(errno);
    return {};
}

} // namespace tandem::machine
