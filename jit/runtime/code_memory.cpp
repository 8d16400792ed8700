#include "jit/runtime/code_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem::jit {
namespace {
constexpr std::size_t kMaxSize = std::size_t{1} << 30;
constexpr std::size_t kMinSize = std::size_t{4} << 20;
} // namespace

Result<std::unique_ptr<CodeMemory>> CodeMemory::create(std::size_t size) {
    size = align_up(std::clamp(size, kMinSize, kMaxSize), 4096);
    std::unique_ptr<CodeMemory> memory(new CodeMemory);
    const auto failed = [](const char *what) {
        return failure(std::string("code cache: ") + what + " failed: " + std::strerror(errno) +
                       "; free some memory");
    };
    // Anonymous, because perf looks for the symbols of such memory alone where PerfMap puts them.
    void *rw = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rw == MAP_FAILED) return failed("mmap");
    memory->writable_ = static_cast<std::byte *>(rw);
    memory->size_ = size;
    // An old size of 0 makes a second mapping of shared pages (mremap(2)).
    void *rx = ::mremap(rw, 0, size, MREMAP_MAYMOVE);
    if (rx == MAP_FAILED) return failed("mremap");
    memory->executable_ = static_cast<std::byte *>(rx);
    if (::mprotect(rx, size, PROT_READ | PROT_EXEC) != 0)
        return failed("mprotect of executable memory");
    return memory;
}

CodeMemory::~CodeMemory() {
    if (writable_ != nullptr) ::munmap(writable_, size_);
    if (executable_ != nullptr) ::munmap(executable_, size_);
}

CodeChunk CodeMemory::allocate(std::size_t size) {
    const std::size_t rounded = align_up(size, 64);
    std::size_t offset = used_.load(std::memory_order_relaxed);
    do {
        if (rounded > size_ - offset) return {};
    } while (!used_.compare_exchange_weak(offset, offset + rounded, std::memory_order_relaxed));
    // All pages at once take a fraction of the time of a fault for each. A kernel that cannot
    // (before Linux 5.14) leaves it to the faults.
    static_cast<void>(::madvise(
        reinterpret_cast<void *>(align_down(reinterpret_cast<u64>(writable_ + offset), 4096)),
        align_up(size, 4096), MADV_POPULATE_WRITE));
    return {writable_ + offset, executable_ + offset, size};
}

} // namespace tandem::jit
