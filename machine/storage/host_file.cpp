#include "machine/storage/host_file.h"

#include "machine/storage/vectors.h"

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
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tandem::machine {
namespace {

/// O_DIRECT: the strictest logical block size in use.
constexpr u64 kDirectAlignment = 4096;

std::unexpected<Error> open_error(const std::string &path, int error, DiskAccess access) {
    const char *mend = "check the file";
    if (error == ENOENT) mend = "check the path";
    if (error == EACCES || error == EROFS || error == EPERM)
        mend = access == DiskAccess::ReadWrite ? "make it writable, or add ,readonly or ,snapshot"
                                               : "make it readable (chmod +r)";
    return failure(fmt::format("{}: {}; {}", path, std::strerror(error), mend));
}

bool writes_through(CacheMode cache) {
    return cache == CacheMode::Writethrough || cache == CacheMode::Directsync;
}

/// Writes zeros where the file system cannot be told to.
StoreStatus write_zero_bytes(ByteFile &file, u64 offset, u64 length) {
    alignas(kDirectAlignment) static std::array<std::byte, 64 * 1024> zeroes{};
    while (length != 0) {
        const u64 chunk = std::min<u64>(length, zeroes.size());
        iovec vector{zeroes.data(), chunk};
        const StoreStatus status = file.write(offset, chunk, {&vector, 1});
        if (status != StoreStatus::Ok) return status;
        offset += chunk;
        length -= chunk;
    }
    return StoreStatus::Ok;
}

} // namespace

Result<std::unique_ptr<HostFile>> HostFile::open(const std::string &path, DiskAccess access,
                                                 CacheMode cache, Locking locking) {
    int mode = access == DiskAccess::ReadWrite ? O_RDWR : O_RDONLY;
    if (writes_through(cache)) mode |= O_DSYNC;
    // O_NONBLOCK: opening a FIFO by mistake must not hang.
    ScopedFd file{::open(path.c_str(), mode | O_CLOEXEC | O_NONBLOCK)};
    if (!file.is_open()) return open_error(path, errno, access);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return open_error(path, errno, access);
    u64 size = static_cast<u64>(status.st_size);
    const bool is_device = S_ISBLK(status.st_mode);
    if (is_device) {
        if (::ioctl(file.get(), BLKGETSIZE64, &size) != 0) return open_error(path, errno, access);
    } else if (!S_ISREG(status.st_mode)) {
        return failure(
            fmt::format("{}: not a regular file or block device; name a disk image", path));
    }
    if (locking == Locking::Locked) TRY(lock_image(file.get(), path, access));
    // What another host has written to a device that both share is not to be found in our cache.
    if (is_device) ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    std::unique_ptr<HostFile> host{new HostFile(path, std::move(file), access, cache, size)};
    host->is_device_ = is_device;
    if (cache == CacheMode::None || cache == CacheMode::Directsync) {
        // The same file by a second description: the kernel keeps direct and cached accesses of a
        // file coherent, so that unaligned ones can take the other way.
        const std::string again = fmt::format("/proc/self/fd/{}", host->file_.get());
        host->direct_.reset(::open(again.c_str(), mode | O_CLOEXEC | O_DIRECT));
        if (!host->direct_.is_open())
            return failure(fmt::format("{}: no direct access: {}; use cache=writeback or another "
                                       "file system",
                                       path, std::strerror(errno)));
    }
    return host;
}

Result<std::unique_ptr<HostFile>> HostFile::create(const std::string &path) {
    ScopedFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644)};
    if (!file.is_open())
        return failure(
            fmt::format("{}: cannot create: {}; check the folder", path, std::strerror(errno)));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return failure(fmt::format("{}: not a regular file; name a new one", path));
    TRY(lock_image(file.get(), path, DiskAccess::ReadWrite));
    if (::ftruncate(file.get(), 0) != 0)
        return failure(
            fmt::format("{}: cannot empty: {}; name a new file", path, std::strerror(errno)));
    return std::unique_ptr<HostFile>{
        new HostFile(path, std::move(file), DiskAccess::ReadWrite, CacheMode::Writeback, 0)};
}

Result<std::unique_ptr<HostFile>> HostFile::create_temporary(u64 size) {
    const char *directory = std::getenv("TMPDIR");
    // /tmp is often memory; changes to a disk may be large.
    if (directory == nullptr || *directory == '\0') directory = "/var/tmp";
    ScopedFd file{::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (!file.is_open() && errno == EOPNOTSUPP) {
        std::string name = fmt::format("{}/tandem-XXXXXX", directory);
        file.reset(::mkostemp(name.data(), O_CLOEXEC));
        if (file.is_open()) ::unlink(name.c_str());
    }
    if (!file.is_open() || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
        return failure(fmt::format("{}: cannot create a temporary file for ,snapshot: {}; set "
                                   "TMPDIR to a directory with room",
                                   directory, std::strerror(errno)));
    return std::unique_ptr<HostFile>{new HostFile(fmt::format("{}/(temporary)", directory),
                                                  std::move(file), DiskAccess::ReadWrite,
                                                  CacheMode::Unsafe, size)};
}

StoreStatus HostFile::failed(const char *what, int error) {
    // Once: a full disk fails every write from then on.
    if (!told_.exchange(true))
        fmt::print(stderr,
                   "tandem: {}: cannot {}: {}; the guest sees I/O errors until that is mended\r\n",
                   path_, what, std::strerror(error));
    return StoreStatus::Failed;
}

int HostFile::descriptor_for(u64 offset, std::span<const iovec> vectors) const {
    if (!direct_.is_open() || !is_aligned(offset, kDirectAlignment)) return file_.get();
    for (const iovec &vector : vectors)
        if (!is_aligned(reinterpret_cast<std::uintptr_t>(vector.iov_base), kDirectAlignment) ||
            !is_aligned(vector.iov_len, kDirectAlignment))
            return file_.get();
    return direct_.get();
}

void HostFile::grow(u64 end) {
    u64 seen = size_.load(std::memory_order_relaxed);
    while (seen < end && !size_.compare_exchange_weak(seen, end, std::memory_order_release)) {
    }
}

StoreStatus HostFile::read(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    const u64 end = offset + length;
    if (const u64 there = std::max(size(), offset); end > there) {
        // Cut off what lies beyond the end; nothing of it needs the file.
        const u64 inside = there - offset;
        std::vector<iovec> all(vectors.begin(), vectors.end());
        fill_zero(consume(all, inside), end - there);
        if (inside == 0) return StoreStatus::Ok;
        std::vector<iovec> part = first_bytes(vectors, inside);
        return read(offset, inside, part, may_wait);
    }
    while (length != 0) {
        const int count = static_cast<int>(std::min<std::size_t>(vectors.size(), IOV_MAX));
        const ssize_t got = ::preadv2(descriptor_for(offset, vectors), vectors.data(), count,
                                      static_cast<off_t>(offset), may_wait ? 0 : RWF_NOWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && !may_wait) return StoreStatus::WouldBlock;
        if (got < 0) return failed("read", errno);
        // The file shrank under us: the missing part cannot be read.
        if (got == 0) return may_wait ? StoreStatus::Failed : StoreStatus::WouldBlock;
        vectors = consume(vectors, static_cast<u64>(got));
        offset += static_cast<u64>(got);
        length -= static_cast<u64>(got);
        may_wait = true; // part of it is done, so the rest must follow
    }
    return StoreStatus::Ok;
}

StoreStatus HostFile::write(u64 offset, u64 length, std::span<iovec> vectors) {
    while (length != 0) {
        const int count = static_cast<int>(std::min<std::size_t>(vectors.size(), IOV_MAX));
        const ssize_t got = ::pwritev(descriptor_for(offset, vectors), vectors.data(), count,
                                      static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return failed("write", got < 0 ? errno : ENOSPC);
        vectors = consume(vectors, static_cast<u64>(got));
        offset += static_cast<u64>(got);
        length -= static_cast<u64>(got);
        grow(offset);
    }
    return StoreStatus::Ok;
}

StoreStatus HostFile::flush() {
    if (cache_ == CacheMode::Unsafe || access_ == DiskAccess::ReadOnly) return StoreStatus::Ok;
    return ::fdatasync(file_.get()) == 0 ? StoreStatus::Ok : failed("flush", errno);
}

StoreStatus HostFile::punch_hole(u64 offset, u64 length) {
    if (::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
        return StoreStatus::Ok;
    // A hint; a file system without holes just keeps the bytes.
    return errno == EOPNOTSUPP ? StoreStatus::Ok : failed("discard", errno);
}

StoreStatus HostFile::zero(u64 offset, u64 length, bool may_unmap) {
    const int mode = may_unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
    if (::fallocate(file_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0)
        return StoreStatus::Ok;
    if (errno != EOPNOTSUPP) return failed("zero", errno);
    return write_zero_bytes(*this, offset, length);
}

StoreStatus HostFile::resize(u64 size) {
    if (is_device_) return size <= this->size() ? StoreStatus::Ok : StoreStatus::Failed;
    if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return failed("resize", errno);
    size_.store(size, std::memory_order_release);
    return StoreStatus::Ok;
}

Extent HostFile::extent(u64 offset, u64 length) {
    if (is_device_) return {ExtentKind::Data, length};
    const off_t data = ::lseek(file_.get(), static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0) return {errno == ENXIO ? ExtentKind::Hole : ExtentKind::Data, length};
    if (static_cast<u64>(data) > offset)
        return {ExtentKind::Hole, std::min(length, static_cast<u64>(data) - offset)};
    const off_t hole = ::lseek(file_.get(), static_cast<off_t>(offset), SEEK_HOLE);
    if (hole < 0 || static_cast<u64>(hole) <= offset) return {ExtentKind::Data, length};
    return {ExtentKind::Data, std::min(length, static_cast<u64>(hole) - offset)};
}

u64 HostFile::allocated() const {
    struct stat status{};
    if (is_device_ || ::fstat(file_.get(), &status) != 0) return size();
    return static_cast<u64>(status.st_blocks) * 512;
}

} // namespace tandem::machine
