#include "machine/host/flash_storage.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {

Result<std::unique_ptr<MemoryFlash>> MemoryFlash::create(u64 size) {
    void *cells = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (cells == MAP_FAILED)
        return failure(
            fmt::format("flash: host out of memory ({}); free some memory", std::strerror(errno)));
    return std::unique_ptr<MemoryFlash>{new MemoryFlash({static_cast<std::byte *>(cells), size})};
}

MemoryFlash::~MemoryFlash() {
    ::munmap(cells_.data(), cells_.size());
}

} // namespace tandem::machine
