#pragma once
/// One cluster of compressed data: raw deflate with a window of 4 KiB, or a zstd frame.
#include "machine/storage/qcow2/format.h"

#include <vector>

namespace tandem::machine::qcow2 {

/// Fills all of `cluster`; `data` may have anything behind the compressed bytes. False: damaged.
[[nodiscard]] bool decompress(CompressionType, std::span<const std::byte> data,
                              std::span<std::byte> cluster);
/// Empty if the result would not be smaller than the cluster.
[[nodiscard]] std::vector<std::byte> compress(CompressionType, std::span<const std::byte> cluster);

} // namespace tandem::machine::qcow2
