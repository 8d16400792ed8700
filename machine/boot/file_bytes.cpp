#include "machine/boot/file_bytes.h"

#include "support/scoped_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {

Result<FileBytes> FileBytes::read(const std::string &path, u64 limit) {
    const ScopedFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file.is_open()) {
        const int error = errno;
        const char *mend = error == ENOENT   ? "check the path"
                           : error == EACCES ? "make it readable (chmod +r)"
                                             : "check the file";
        return failure(fmt::format("{}: {}; {}", path, std::strerror(error), mend));
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0)
        return failure(fmt::format("{}: {}; check the file", path, std::strerror(errno)));
    if (S_ISDIR(status.st_mode))
        return failure(fmt::format("{}: is a directory; name a file", path));
    if (!S_ISREG(status.st_mode))
        return failure(fmt::format("{}: not a regular file; name a file", path));
    if (status.st_size == 0) return failure(fmt::format("{}: is empty; check the file", path));
    const u64 size = std::min<u64>(static_cast<u64>(status.st_size), limit);
    std::unique_ptr<std::byte[]> data{new (std::nothrow) std::byte[size]};
    if (data == nullptr)
        return failure(
            fmt::format("{}: host out of memory for {}; free some memory", path, human_size(size)));
    u64 done = 0;
    while (done < size) {
        const ssize_t got = ::read(file.get(), data.get() + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return failure(fmt::format("{}: {}; check the file", path, std::strerror(errno)));
        if (got == 0) return failure(fmt::format("{}: shrank while being read; try again", path));
        done += static_cast<u64>(got);
    }
    return FileBytes{std::move(data), size};
}

bool has_text(std::span<const std::byte> bytes, u64 offset, std::string_view text) {
    return offset <= bytes.size() && bytes.size() - offset >= text.size() &&
           std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

std::string human_size(u64 bytes) {
    static constexpr const char *kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double value = static_cast<double>(bytes);
    while (value >= 1024 && unit + 1 < std::size(kUnits)) {
        value /= 1024;
        ++unit;
    }
    const bool whole = value == static_cast<double>(static_cast<u64>(value));
    return whole ? fmt::format("{} {}", static_cast<u64>(value), kUnits[unit])
                 : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

} // namespace tandem::machine
