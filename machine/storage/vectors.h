#pragma once
/// Lists of buffers, as readv() takes them.
#include "support/bits.h"

#include <span>
#include <vector>

struct iovec;

namespace tandem::machine {

/// Drops `count` bytes from the front of the vectors; returns those that are left.
[[nodiscard]] std::span<iovec> consume(std::span<iovec> vectors, u64 count);
/// Copies of the vectors cut to their first `count` bytes.
[[nodiscard]] std::vector<iovec> first_bytes(std::span<const iovec> vectors, u64 count);
/// Copies `count` bytes between a buffer and the front of the vectors, which are long enough.
void scatter(std::span<const iovec> vectors, std::span<const std::byte> source);
void gather(std::span<const iovec> vectors, std::span<std::byte> target);
void fill_zero(std::span<const iovec> vectors, u64 count);

} // namespace tandem::machine
