#include "machine/host/flash_storage.h"

#include "machine/memory/file_holes.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {

Result<std::unique_ptr<MemoryFlash>> MemoryFlash::create(u64 size) {
    ScopedFd file{::memfd_create("flash", MFD_CLOEXEC)};
    void *cells = MAP_FAILED;
    if (file.is_open() && ::ftruncate(file.get(), static_cast<off_t>(size)) == 0)
        cells = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (cells == MAP_FAILED)
        return failure(
            fmt::format("flash: host out of memory ({}); free some memory", std::strerror(errno)));
    return std::unique_ptr<MemoryFlash>{
        new MemoryFlash(std::move(file), {static_cast<std::byte *>(cells), size})};
}

std::vector<MemoryFlash::Range> MemoryFlash::populated() {
    std::vector<Range> ranges;
    for_each_populated(file_.get(), cells_.size(),
                       [&](u64 offset, u64 length) { ranges.push_back({offset, length}); });
    return ranges;
}

MemoryFlash::~MemoryFlash() {
    ::munmap(cells_.data(), cells_.size());
}

} // namespace tandem::machine
