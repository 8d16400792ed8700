#include "machine/host/raw_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace tandem::machine {
namespace {

constexpr u64 kSectorSize = 512;

std::unexpected<Error> open_error(const std::string &path, int error, DiskAccess access) {
    const char *mend = "check the file";
    if (error == ENOENT) mend = "check the path";
    if (error == EACCES || error == EROFS || error == EPERM)
        mend = access == DiskAccess::ReadWrite ? "make it writable, or add ,readonly or ,snapshot"
                                               : "make it readable (chmod +r)";
    return failure(fmt::format("{}: {}; {}", path, std::strerror(error), mend));
}

/// A whole-file lock: exclusive for writers, shared for readers. Open file description locks also
/// exclude a second use by this process, and end with the descriptor.
bool lock_file(int fd, DiskAccess access, int &error) {
    struct flock lock{};
    lock.l_type = access == DiskAccess::ReadWrite ? F_WRLCK : F_RDLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
    error = errno;
    return false;
}

} // namespace

std::span<iovec> consume(std::span<iovec> vectors, u64 count) {
    while (!vectors.empty() && count >= vectors.front().iov_len) {
        count -= vectors.front().iov_len;
        vectors = vectors.subspan(1);
    }
    if (count != 0 && !vectors.empty()) {
        vectors.front().iov_base = static_cast<std::byte *>(vectors.front().iov_base) + count;
        vectors.front().iov_len -= count;
    }
    return vectors;
}

Result<std::unique_ptr<DiskStore>> open_raw_disk(const std::string &path, DiskAccess access) {
    const int mode = access == DiskAccess::ReadWrite ? O_RDWR : O_RDONLY;
    // O_NONBLOCK: opening a FIFO by mistake must not hang.
    ScopedFd file{::open(path.c_str(), mode | O_CLOEXEC | O_NONBLOCK)};
    if (!file.is_open()) return open_error(path, errno, access);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return open_error(path, errno, access);
    u64 size = static_cast<u64>(status.st_size);
    if (S_ISBLK(status.st_mode)) {
        if (::ioctl(file.get(), BLKGETSIZE64, &size) != 0) return open_error(path, errno, access);
    } else if (!S_ISREG(status.st_mode)) {
        return failure(
            fmt::format("{}: not a regular file or block device; name a disk image", path));
    }
    if (int error = 0; !lock_file(file.get(), access, error)) {
        if (error == EAGAIN || error == EACCES)
            return failure(fmt::format("{}: in use by another process or --disk; stop it, or add "
                                       ",snapshot or ,readonly to every user",
                                       path));
        return failure(fmt::format("{}: cannot lock: {}; use a file system with locks", path,
                                   std::strerror(error)));
    }
    std::array<char, 4> magic{};
    if (::pread(file.get(), magic.data(), magic.size(), 0) == 4 &&
        std::memcmp(magic.data(), "QFI\xfb", 4) == 0)
        return failure(fmt::format("{}: is a qcow2 image, which is not supported yet; convert it: "
                                   "qemu-img convert -O raw IN OUT",
                                   path));
    if (size < kSectorSize)
        return failure(fmt::format("{}: is empty or shorter than a sector; make it larger: "
                                   "truncate -s 1G {}",
                                   path, path));
    if (size % kSectorSize != 0)
        return failure(fmt::format("{}: truncated: {} bytes are no multiple of 512; pad it: "
                                   "truncate -s %512 {}",
                                   path, size, path));
    return std::make_unique<RawDisk>(std::move(file), size);
}

StoreStatus RawDisk::read(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    while (length != 0) {
        const int count = static_cast<int>(std::min<std::size_t>(vectors.size(), IOV_MAX));
        const ssize_t got = ::preadv2(file_.get(), vectors.data(), count,
                                      static_cast<off_t>(offset), may_wait ? 0 : RWF_NOWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && !may_wait) return StoreStatus::WouldBlock;
        if (got < 0) return StoreStatus::Failed;
        // The file shrank under us: the missing part cannot be read.
        if (got == 0) return may_wait ? StoreStatus::Failed : StoreStatus::WouldBlock;
        vectors = consume(vectors, static_cast<u64>(got));
        offset += static_cast<u64>(got);
        length -= static_cast<u64>(got);
        may_wait = true; // part of it is done, so the rest must follow
    }
    return StoreStatus::Ok;
}

StoreStatus RawDisk::write(u64 offset, u64 length, std::span<iovec> vectors) {
    while (length != 0) {
        const int count = static_cast<int>(std::min<std::size_t>(vectors.size(), IOV_MAX));
        const ssize_t got =
            ::pwritev(file_.get(), vectors.data(), count, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return StoreStatus::Failed; // ENOSPC and EIO alike: the guest sees an error
        vectors = consume(vectors, static_cast<u64>(got));
        offset += static_cast<u64>(got);
        length -= static_cast<u64>(got);
    }
    return StoreStatus::Ok;
}

StoreStatus RawDisk::flush() {
    return ::fdatasync(file_.get()) == 0 ? StoreStatus::Ok : StoreStatus::Failed;
}

StoreStatus RawDisk::discard(u64 offset, u64 length) {
    if (::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
        return StoreStatus::Ok;
    // A discard is a hint; a file system without holes just keeps the bytes.
    return errno == EOPNOTSUPP ? StoreStatus::Ok : StoreStatus::Failed;
}

StoreStatus RawDisk::write_zeroes(u64 offset, u64 length, bool may_unmap) {
    const int mode = may_unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
    if (::fallocate(file_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
        return StoreStatus::Ok;
    if (errno != EOPNOTSUPP) return StoreStatus::Failed;
    static const std::array<std::byte, 64 * 1024> kZeroes{};
    while (length != 0) {
        const u64 chunk = std::min<u64>(length, kZeroes.size());
        iovec vector{const_cast<std::byte *>(kZeroes.data()), chunk};
        if (write(offset, chunk, {&vector, 1}) != StoreStatus::Ok) return StoreStatus::Failed;
        offset += chunk;
        length -= chunk;
    }
    return StoreStatus::Ok;
}

} // namespace tandem::machine
