#pragma once
/// A fixed-size queue of bytes. Not thread-safe.
#include "support/bits.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace tandem::machine {

class ByteRing {
public:
    /// The capacity is a power of two.
    explicit ByteRing(std::size_t capacity)
        : data_(std::make_unique<std::byte[]>(capacity)), mask_(capacity - 1) {}

    [[nodiscard]] bool empty() const { return head_ == tail_; }
    [[nodiscard]] std::size_t size() const { return head_ - tail_; }
    [[nodiscard]] std::size_t room() const { return mask_ + 1 - size(); }

    /// Appends what fits; returns how much that was.
    std::size_t push(std::span<const std::byte> bytes) {
        const std::size_t count = std::min(bytes.size(), room());
        const std::size_t at = head_ & mask_;
        const std::size_t first = std::min(count, mask_ + 1 - at);
        if (first != 0) std::memcpy(data_.get() + at, bytes.data(), first);
        if (count != first) std::memcpy(data_.get(), bytes.data() + first, count - first);
        head_ += count;
        return count;
    }
    std::size_t pop(std::span<std::byte> bytes) {
        const std::size_t count = std::min(bytes.size(), size());
        const std::size_t at = tail_ & mask_;
        const std::size_t first = std::min(count, mask_ + 1 - at);
        if (first != 0) std::memcpy(bytes.data(), data_.get() + at, first);
        if (count != first) std::memcpy(bytes.data() + first, data_.get(), count - first);
        tail_ += count;
        return count;
    }
    /// Forgets the oldest bytes, at most as many as there are.
    void drop(std::size_t count) { tail_ += std::min(count, size()); }

private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t mask_;
    std::size_t head_ = 0; ///< bytes ever pushed
    std::size_t tail_ = 0; ///< bytes ever popped
};

} // namespace tandem::machine
