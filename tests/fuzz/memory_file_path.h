#pragma once
/// A file that has a path but no place on a disk, for what opens files by name.
#include "support/check.h"
#include "support/scoped_fd.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <span>
#include <string>

namespace tandem::fuzz {

class MemoryFilePath {
public:
    explicit MemoryFilePath(std::span<const unsigned char> bytes)
        : file_(::memfd_create("input", MFD_CLOEXEC)) {
        CHECK(file_.is_open());
        CHECK(::write(file_.get(), bytes.data(), bytes.size()) ==
              static_cast<ssize_t>(bytes.size()));
    }
    [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", file_.get()); }

private:
    ScopedFd file_;
};

} // namespace tandem::fuzz
