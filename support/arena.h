#pragma once
/// Memory for many small objects of like age: handed out in order from chunks, each of which goes
/// back to the host when all that was allocated in it has been released.
#include "support/bits.h"

#include <atomic>
#include <cstddef>
#include <memory>

namespace tandem {

/// Allocation is for one thread at a time; what is allocated may be released by any thread, also
/// after the arena is gone.
class Arena {
public:
    static constexpr std::size_t kChunkSize = std::size_t{1} << 20;
    /// No allocation is larger.
    static constexpr std::size_t kMaxSize = kChunkSize / 2;

    /// `held`, if not null, counts the bytes of chunks that have not gone back; it outlives them.
    explicit Arena(std::atomic<std::size_t> *held = nullptr) : held_(held) {}
    ~Arena() { retire_chunk(); }
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;

    /// Uninitialised, aligned to 16 bytes.
    [[nodiscard]] void *allocate(std::size_t size);
    static void release(void *memory);

private:
    struct Chunk;
    void retire_chunk();
    void next_chunk();

    std::atomic<std::size_t> *held_;
    Chunk *chunk_ = nullptr;
    std::size_t used_ = kChunkSize; ///< of chunk_
};

struct ArenaRelease {
    void operator()(void *memory) const { Arena::release(memory); }
};
/// An array of trivial objects in an arena.
template <typename T>
using ArenaArray = std::unique_ptr<T[], ArenaRelease>;

template <typename T>
[[nodiscard]] ArenaArray<T> make_arena_array(Arena &arena, std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 16);
    return ArenaArray<T>(static_cast<T *>(arena.allocate(count * sizeof(T))));
}

} // namespace tandem
