#include "machine/storage/vectors.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine {
namespace {

/// Calls `action(pointer, length)` for the first `count` bytes of the vectors, piece by piece.
template <typename Action>
void for_pieces(std::span<const iovec> vectors, u64 count, Action action) {
    for (const iovec &vector : vectors) {
        if (count == 0) return;
        const u64 length = std::min<u64>(vector.iov_len, count);
        if (length != 0) action(static_cast<std::byte *>(vector.iov_base), length);
        count -= length;
    }
}

} // namespace

std::span<iovec> consume(std::span<iovec> vectors, u64 count) {
    while (!vectors.empty() && count >= vectors.front().iov_len) {
        count -= vectors.front().iov_len;
        vectors = vectors.subspan(1);
    }
    if (count != 0 && !vectors.empty()) {
        vectors.front().iov_base = static_cast<std::byte *>(vectors.front().iov_base) + count;
        vectors.front().iov_len -= count;
    }
    return vectors;
}

std::vector<iovec> first_bytes(std::span<const iovec> vectors, u64 count) {
    std::vector<iovec> part;
    for_pieces(vectors, count,
               [&](std::byte *data, u64 length) { part.push_back({data, length}); });
    return part;
}

void scatter(std::span<const iovec> vectors, std::span<const std::byte> source) {
    for_pieces(vectors, source.size(), [&](std::byte *data, u64 length) {
        std::memcpy(data, source.data(), length);
        source = source.subspan(length);
    });
}

void gather(std::span<const iovec> vectors, std::span<std::byte> target) {
    for_pieces(vectors, target.size(), [&](std::byte *data, u64 length) {
        std::memcpy(target.data(), data, length);
        target = target.subspan(length);
    });
}

void fill_zero(std::span<const iovec> vectors, u64 count) {
    for_pieces(vectors, count, [](std::byte *data, u64 length) { std::memset(data, 0, length); });
}

} // namespace tandem::machine
