#pragma once
/// gzip and zstd, whole buffers.
#include "machine/boot/file_bytes.h"

namespace tandem::machine {

enum class Compression : u8 { None, Gzip, Zstd, Unsupported };

/// By magic number; Unsupported for formats Linux kernels come in that are not built in (xz, bzip2,
/// lz4, lzma, lzo), whose name goes to `name`.
[[nodiscard]] Compression sniff_compression(std::span<const std::byte> bytes, std::string &name);

/// Decompresses; fails (reason only, the caller adds the file) on damage, on a truncated stream and
/// when the result would be larger than `limit` bytes.
[[nodiscard]] Result<FileBytes> decompress(Compression, std::span<const std::byte> bytes,
                                           u64 limit);

} // namespace tandem::machine
