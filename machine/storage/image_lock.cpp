#include "machine/storage/image_lock.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tandem::machine {
namespace {

constexpr off_t kUsed = 100, kUnshared = 200;
// QEMU's BLK_PERM_* numbers that matter between processes.
constexpr off_t kConsistentRead = 0, kWrite = 1, kResize = 3;

struct flock one_byte(short type, off_t at) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = at;
    lock.l_len = 1;
    return lock;
}

enum class Outcome { Free, Taken, Impossible };

Outcome take(int fd, off_t at) {
    struct flock lock = one_byte(F_RDLCK, at);
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return Outcome::Free;
    return errno == EAGAIN || errno == EACCES ? Outcome::Taken : Outcome::Impossible;
}

Outcome look(int fd, off_t at) {
    struct flock lock = one_byte(F_WRLCK, at);
    if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) return Outcome::Impossible;
    return lock.l_type == F_UNLCK ? Outcome::Free : Outcome::Taken;
}

} // namespace

Result<> lock_image(int fd, const std::string &path, DiskAccess access) {
    const bool writes = access == DiskAccess::ReadWrite;
    const auto attempt = [&] {
        // Take first, look afterwards: of two that come at once at least one sees the other.
        for (const off_t permission : {kConsistentRead, kWrite, kResize})
            if (writes || permission == kConsistentRead)
                if (const Outcome o = take(fd, kUsed + permission); o != Outcome::Free) return o;
        for (const off_t permission : {kWrite, kResize})
            if (const Outcome o = take(fd, kUnshared + permission); o != Outcome::Free) return o;
        for (const off_t permission : {kConsistentRead, kWrite, kResize})
            if (writes || permission == kConsistentRead)
                if (const Outcome o = look(fd, kUnshared + permission); o != Outcome::Free)
                    return o;
        for (const off_t permission : {kWrite, kResize})
            if (const Outcome o = look(fd, kUsed + permission); o != Outcome::Free) return o;
        return Outcome::Free;
    };
    switch (attempt()) {
    case Outcome::Free: return {};
    case Outcome::Taken:
        return failure(fmt::format("{}: in use by another process or --disk; stop it, or add "
                                   ",snapshot or ,readonly to every user",
                                   path));
    case Outcome::Impossible: break;
    }
    return failure(fmt::format("{}: cannot lock: {}; use a file system with locks", path,
                               std::strerror(errno)));
}

} // namespace tandem::machine
