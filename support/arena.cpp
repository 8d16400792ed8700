#include "support/arena.h"

#include "support/check.h"

#include <sys/mman.h>

#include <new>

namespace tandem {

/// At the beginning of each chunk, whose address is a multiple of its size.
struct alignas(64) Arena::Chunk {
    std::atomic<std::size_t> users = 1; ///< allocations, and the arena while it uses the chunk
    std::atomic<std::size_t> *held = nullptr;
};

void *Arena::allocate(std::size_t size) {
    CHECK(size <= kMaxSize);
    const std::size_t rounded = align_up(size, 16);
    if (used_ + rounded > kChunkSize) [[unlikely]]
        next_chunk();
    void *memory = reinterpret_cast<std::byte *>(chunk_) + used_;
    used_ += rounded;
    chunk_->users.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

void Arena::release(void *memory) {
    auto *chunk = reinterpret_cast<Chunk *>(align_down(reinterpret_cast<u64>(memory), kChunkSize));
    if (chunk->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (chunk->held != nullptr) chunk->held->fetch_sub(kChunkSize, std::memory_order_relaxed);
    ::munmap(chunk, kChunkSize);
}

void Arena::retire_chunk() {
    // The arena's own use ends like that of an allocation just behind the header.
    if (chunk_ != nullptr) release(chunk_ + 1);
    chunk_ = nullptr;
}

void Arena::next_chunk() {
    const bool is_first = chunk_ == nullptr;
    retire_chunk();
    // Twice as much has an aligned chunk in it somewhere.
    void *reserved = ::mmap(nullptr, 2 * kChunkSize, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) throw std::bad_alloc();
    const u64 first = reinterpret_cast<u64>(reserved);
    const u64 aligned = align_up(first, kChunkSize);
    if (aligned != first) ::munmap(reserved, aligned - first);
    if (aligned != first + kChunkSize)
        ::munmap(reinterpret_cast<void *>(aligned + kChunkSize), first + kChunkSize - aligned);
    // An arena that has filled one chunk will fill another. All pages at once take a fraction of
    // the time of a fault for each; if the kernel cannot (before Linux 5.14), faults it is.
    if (!is_first)
        static_cast<void>(
            ::madvise(reinterpret_cast<void *>(aligned), kChunkSize, MADV_POPULATE_WRITE));
    chunk_ = new (reinterpret_cast<void *>(aligned)) Chunk;
    chunk_->held = held_;
    used_ = sizeof(Chunk);
    if (held_ != nullptr) held_->fetch_add(kChunkSize, std::memory_order_relaxed);
}

} // namespace tandem
