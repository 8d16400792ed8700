#include "jit/regions/code_arena.h"

#include "support/bits.h"
#include "support/check.h"

#include <iterator>

namespace tandem::jit {

CodeArena::CodeArena(CodeWindow whole) : whole_(whole) {
    if (whole.size != 0) free_.emplace(0, whole.size);
}

CodeWindow CodeArena::allocate(std::size_t size) {
    size = align_up(size, 64);
    const std::lock_guard guard(mutex_);
    for (auto it = free_.begin(); it != free_.end(); ++it) {
        const auto [offset, available] = *it;
        if (available < size) continue;
        free_.erase(it);
        if (available > size) free_.emplace(offset + size, available - size);
        used_ += size;
        return {whole_.writable + offset, whole_.executable + offset, size};
    }
    return {};
}

void CodeArena::free(CodeWindow piece) {
    const std::lock_guard guard(mutex_);
    auto offset = static_cast<std::size_t>(piece.writable - whole_.writable);
    std::size_t size = piece.size;
    CHECK(offset + size <= whole_.size && used_ >= size);
    used_ -= size;
    auto next = free_.lower_bound(offset);
    if (next != free_.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second == offset) {
            offset = before->first;
            size += before->second;
            free_.erase(before);
        }
    }
    if (next != free_.end() && offset + size == next->first) {
        size += next->second;
        free_.erase(next);
    }
    free_.emplace(offset, size);
}

std::size_t CodeArena::used() const {
    const std::lock_guard guard(mutex_);
    return used_;
}

} // namespace tandem::jit
