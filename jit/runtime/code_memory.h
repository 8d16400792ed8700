#pragma once
/// Memory for generated code: shared pages mapped twice, once writable and once executable, so that
/// no page is ever both. Handed out in chunks; freed all at once.
#include "support/bits.h"
#include "support/result.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

namespace tandem::jit {

/// Part of the code memory in both views.
struct CodeChunk {
    std::byte *writable = nullptr;
    const std::byte *executable = nullptr;
    std::size_t size = 0;
};

class CodeMemory {
public:
    /// `size` is rounded up to pages and bounded so that all of it is within reach of a 32-bit
    /// displacement.
    static Result<std::unique_ptr<CodeMemory>> create(std::size_t size);
    ~CodeMemory();
    CodeMemory(const CodeMemory &) = delete;
    CodeMemory &operator=(const CodeMemory &) = delete;

    /// Any thread. A chunk of exactly `size` bytes, 64-byte aligned; empty when memory has run out.
    [[nodiscard]] CodeChunk allocate(std::size_t size);

    /// Everything allocated so far survives later calls of reset().
    void keep() { kept_ = used_.load(std::memory_order_relaxed); }
    /// Frees all but what is kept. No thread may be executing code from here.
    void reset() { used_.store(kept_, std::memory_order_relaxed); }

    [[nodiscard]] bool contains(const void *address) const {
        const auto *p = static_cast<const std::byte *>(address);
        return p >= executable_ && p < executable_ + size_;
    }
    [[nodiscard]] std::span<const std::byte> executable() const { return {executable_, size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

private:
    CodeMemory() = default;

    std::byte *writable_ = nullptr;
    std::byte *executable_ = nullptr;
    std::size_t size_ = 0;
    std::size_t kept_ = 0;
    std::atomic<std::size_t> used_ = 0;
};

} // namespace tandem::jit
