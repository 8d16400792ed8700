#pragma once
/// A stretch of a disk that somebody else wrote, read with bounds: whatever an offset found in it
/// says, a read lies inside the window or fails.
#include "machine/storage/disk_store.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace tandem::machine {

class ByteWindow {
public:
    explicit ByteWindow(DiskStore &disk) : disk_(&disk), size_(disk.size()) {}

    [[nodiscard]] u64 size() const { return size_; }

    /// The part of this window that the range covers; empty if it lies outside.
    [[nodiscard]] ByteWindow part(u64 offset, u64 size) const {
        ByteWindow result = *this;
        offset = std::min(offset, size_);
        result.offset_ += offset;
        result.size_ = std::min(size, size_ - offset);
        return result;
    }

    /// Exactly `size` bytes, or nothing.
    [[nodiscard]] std::optional<std::vector<std::byte>> read(u64 offset, u64 size) const {
        if (offset > size_ || size_ - offset < size) return std::nullopt;
        std::vector<std::byte> bytes(size);
        if (!read_bytes(*disk_, offset_ + offset, bytes)) return std::nullopt;
        return bytes;
    }

    /// What is there of `size` bytes.
    [[nodiscard]] std::vector<std::byte> read_some(u64 offset, u64 size) const {
        offset = std::min(offset, size_);
        return read(offset, std::min(size, size_ - offset)).value_or(std::vector<std::byte>{});
    }

private:
    DiskStore *disk_;
    u64 offset_ = 0;
    u64 size_;
};

} // namespace tandem::machine
