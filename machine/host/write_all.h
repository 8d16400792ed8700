#pragma once
/// All of some bytes to a descriptor that blocks.
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>

namespace tandem::machine {

/// False if they could not all be written; errno says why.
[[nodiscard]] inline bool write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

} // namespace tandem::machine
