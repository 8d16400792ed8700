#include "machine/storage/testing/memory_file.h"

#include "machine/storage/vectors.h"

#include <algorithm>

namespace tandem::machine::testing {

StoreStatus MemoryFile::read(u64 offset, u64 length, std::span<iovec> vectors, bool) {
    std::vector<std::byte> bytes(length);
    const std::vector<std::byte> &now = medium_->now;
    if (offset < now.size())
        std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(offset),
                    std::min<u64>(length, now.size() - offset), bytes.begin());
    scatter(vectors, bytes);
    return StoreStatus::Ok;
}

void MemoryFile::put(u64 offset, std::vector<std::byte> bytes) {
    std::vector<std::byte> &now = medium_->now;
    now.resize(std::max<u64>(now.size(), offset + bytes.size()));
    std::ranges::copy(bytes, now.begin() + static_cast<std::ptrdiff_t>(offset));
    medium_->pending.push_back({offset, std::move(bytes)});
}

StoreStatus MemoryFile::write(u64 offset, u64 length, std::span<iovec> vectors) {
    if (offset > kMaxSize || length > kMaxSize - offset) return StoreStatus::Failed;
    std::vector<std::byte> bytes(length);
    gather(vectors, bytes);
    put(offset, std::move(bytes));
    return StoreStatus::Ok;
}

StoreStatus MemoryFile::zero(u64 offset, u64 length, bool) {
    const u64 end = std::min<u64>(offset + length, medium_->now.size());
    if (offset < end) put(offset, std::vector<std::byte>(end - offset));
    return StoreStatus::Ok;
}

} // namespace tandem::machine::testing
