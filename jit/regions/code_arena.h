#pragma once
/// Memory for regions' code, within reach of T1's: pieces are allocated and freed one by one.
#include "jit/baseline/compiler.h"

#include <map>
#include <mutex>
#include <utility>

namespace tandem::jit {

class CodeArena {
public:
    explicit CodeArena(CodeWindow whole);
    CodeArena(const CodeArena &) = delete;
    CodeArena &operator=(const CodeArena &) = delete;

    /// Any thread. 64-byte aligned; empty (size 0) when there is no room.
    [[nodiscard]] CodeWindow allocate(std::size_t size);
    /// Any thread. No thread may be executing code from there.
    void free(CodeWindow piece);
    [[nodiscard]] std::size_t used() const;

private:
    CodeWindow whole_;
    mutable std::mutex mutex_;
    std::map<std::size_t, std::size_t> free_; ///< offset to size; neighbours are merged
    std::size_t used_ = 0;
};

/// A piece of an arena that frees itself.
class ArenaPiece {
public:
    ArenaPiece() = default;
    ArenaPiece(CodeArena &arena, std::size_t size)
        : arena_(&arena), window_(arena.allocate(size)) {}
    ~ArenaPiece() { reset(); }
    ArenaPiece(ArenaPiece &&other) noexcept
        : arena_(other.arena_), window_(std::exchange(other.window_, {})) {}
    ArenaPiece &operator=(ArenaPiece &&other) noexcept {
        if (this == &other) return *this;
        reset();
        arena_ = other.arena_;
        window_ = std::exchange(other.window_, {});
        return *this;
    }
    [[nodiscard]] const CodeWindow &window() const { return window_; }

private:
    void reset() {
        if (window_.size != 0) arena_->free(std::exchange(window_, {}));
    }
    CodeArena *arena_ = nullptr;
    CodeWindow window_;
};

} // namespace tandem::jit
