#include "machine/host/flash_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace tandem::machine {
namespace {

std::unexpected<Error> file_error(const std::string &path, int error) {
    return failure(fmt::format("{}: {}; name a file for --nvram that can be read and written", path,
                               std::strerror(error)));
}

/// Reads what is not zero only, so that the empty part of the bank takes no memory.
bool read_cells(int fd, std::span<std::byte> cells) {
    std::vector<std::byte> chunk(256 * 1024);
    for (std::size_t at = 0; at < cells.size();) {
        const ssize_t got = ::pread(fd, chunk.data(), std::min(chunk.size(), cells.size() - at),
                                    static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        const auto bytes = std::span(chunk).first(static_cast<std::size_t>(got));
        if (std::ranges::any_of(bytes, [](std::byte b) { return b != std::byte{0}; }))
            std::ranges::copy(bytes, cells.subspan(at).begin());
        at += bytes.size();
    }
    return true;
}

/// Opens and locks it, and makes it `size` bytes long.
Result<ScopedFd> open_locked(const std::string &path, u64 size) {
    // O_NONBLOCK: opening a FIFO by mistake must not hang.
    ScopedFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666)};
    struct stat status{};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0) return file_error(path, errno);
    if (!S_ISREG(status.st_mode))
        return failure(fmt::format("{}: not a regular file; name another for --nvram", path));
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return failure(fmt::format("{}: in use by another process; stop it, or name another "
                                       "file for --nvram",
                                       path));
        return file_error(path, errno);
    }
    if (static_cast<u64>(status.st_size) > size)
        return failure(fmt::format("{}: larger than the flash bank ({} MiB); use variables made "
                                   "for the virt board",
                                   path, size >> 20));
    if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) return file_error(path, errno);
    return file;
}

} // namespace

Result<std::unique_ptr<FlashFile>> FlashFile::open(const std::string &path, u64 size) {
    ScopedFd file = TRY(open_locked(path, size));
    auto memory = TRY(MemoryFlash::create(size));
    if (!read_cells(file.get(), memory->cells())) return file_error(path, errno);
    return std::unique_ptr<FlashFile>{new FlashFile(path, std::move(file), std::move(memory))};
}

Result<std::unique_ptr<FlashFile>> FlashFile::open_released(const std::string &path, u64 size) {
    return std::unique_ptr<FlashFile>{
        new FlashFile(path, ScopedFd{}, TRY(MemoryFlash::create(size)))};
}

void FlashFile::release() {
    static_cast<void>(::fdatasync(file_.get())); // as in the destructor
    file_.reset();
}

Result<> FlashFile::acquire() {
    if (file_.is_open()) return {};
    file_ = TRY(open_locked(path_, cells().size()));
    std::vector<std::byte> chunk(256 * 1024);
    for (std::size_t at = 0; at < cells().size(); at += chunk.size()) {
        const auto ours = cells().subspan(at, std::min(chunk.size(), cells().size() - at));
        const ssize_t got = ::pread(file_.get(), chunk.data(), ours.size(), static_cast<off_t>(at));
        const bool is_same = got == static_cast<ssize_t>(ours.size()) &&
                             std::memcmp(chunk.data(), ours.data(), ours.size()) == 0;
        if (!is_same && !persist(at, ours.size())) return file_error(path_, errno);
    }
    return {};
}

FlashFile::~FlashFile() {
    // A failure here cannot reach the guest any more; persist() has told it of all others.
    if (file_.is_open()) static_cast<void>(::fdatasync(file_.get()));
}

bool FlashFile::persist(u64 offset, u64 length) {
    auto left = cells().subspan(offset, length);
    while (!left.empty()) {
        const ssize_t written =
            ::pwrite(file_.get(), left.data(), left.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        left = left.subspan(static_cast<std::size_t>(written));
        offset += static_cast<u64>(written);
    }
    return true;
}

} // namespace tandem::machine
