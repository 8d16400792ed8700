#include "machine/host/share/file_status.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

namespace tandem::machine {
namespace {

i64 nanoseconds(const struct statx_timestamp &time) {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

devices::FileTime file_time(const struct statx_timestamp &time) {
    return {time.tv_sec, time.tv_nsec};
}

} // namespace

devices::FileResult<FileStatus> file_status(int fd, const std::string &name) {
    struct statx from{};
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.empty() ? AT_EMPTY_PATH : 0);
    if (::statx(fd, name.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME, &from) != 0)
        return last_error();
    FileStatus status;
    status.identity = {makedev(from.stx_dev_major, from.stx_dev_minor), from.stx_ino,
                       (from.stx_mask & STATX_BTIME) != 0 ? nanoseconds(from.stx_btime) : 0};
    status.version = {nanoseconds(from.stx_mtime), nanoseconds(from.stx_ctime), from.stx_size};
    devices::FileAttributes &to = status.attributes;
    to.inode = from.stx_ino;
    to.size = from.stx_size;
    to.blocks = from.stx_blocks;
    to.accessed = file_time(from.stx_atime);
    to.modified = file_time(from.stx_mtime);
    to.changed = file_time(from.stx_ctime);
    to.mode = from.stx_mode;
    to.links = from.stx_nlink;
    to.uid = from.stx_uid;
    to.gid = from.stx_gid;
    to.device_major = from.stx_rdev_major;
    to.device_minor = from.stx_rdev_minor;
    to.block_size = from.stx_blksize;
    return status;
}

std::unexpected<devices::FileError> last_error() {
    return devices::file_error(errno);
}

std::string descriptor_path(int fd) {
    return fmt::format("/proc/self/fd/{}", fd);
}

} // namespace tandem::machine
