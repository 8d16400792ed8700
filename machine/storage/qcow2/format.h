#pragma once
/// What a qcow2 file consists of (QEMU's docs/interop/qcow2). All numbers are big-endian.
#include "support/bits.h"

#include <bit>
#include <cstring>
#include <span>

namespace tandem::machine::qcow2 {

inline constexpr u32 kMagic = 0x514649fb; // "QFI\xfb"

// Cluster sizes that QEMU takes as well.
inline constexpr u32 kMinClusterBits = 9, kMaxClusterBits = 21;
inline constexpr u32 kSectorSize = 512;

// Header lengths.
inline constexpr u32 kHeaderLengthV2 = 72, kHeaderLengthV3 = 104, kHeaderLengthCompression = 112;

// Incompatible features.
inline constexpr u64 kDirty = u64{1} << 0;
inline constexpr u64 kCorrupt = u64{1} << 1;
inline constexpr u64 kExternalData = u64{1} << 2;
inline constexpr u64 kCompressionType = u64{1} << 3;
inline constexpr u64 kExtendedL2 = u64{1} << 4;
inline constexpr u64 kKnownIncompatible =
    kDirty | kCorrupt | kExternalData | kCompressionType | kExtendedL2;
// Compatible features.
inline constexpr u64 kLazyRefcounts = u64{1} << 0;
// Autoclear features.
inline constexpr u64 kBitmaps = u64{1} << 0;

enum class CompressionType : u8 { Zlib = 0, Zstd = 1 };

// Header extensions.
inline constexpr u32 kExtensionEnd = 0;
inline constexpr u32 kExtensionBackingFormat = 0xe2792aca;
inline constexpr u32 kExtensionFeatureNames = 0x6803f857;
inline constexpr u32 kExtensionBitmaps = 0x23852875;

// L1 and L2 entries.
inline constexpr u64 kOffsetMask = ones(56) & ~ones(9);
inline constexpr u64 kCopied = u64{1} << 63;     ///< refcount is exactly one
inline constexpr u64 kCompressed = u64{1} << 62; ///< L2 only
inline constexpr u64 kZero = u64{1} << 0;        ///< L2 only, version 3
inline constexpr u64 kL1Reserved = ~(kOffsetMask | kCopied);
inline constexpr u64 kL2Reserved = ~(kOffsetMask | kCopied | kCompressed | kZero);
inline constexpr u32 kSubclusters = 32; ///< of an extended L2 entry

// Limits against hostile files, those of QEMU.
inline constexpr u64 kMaxL1Bytes = u64{32} << 20;
inline constexpr u64 kMaxRefcountTableBytes = u64{8} << 20;
inline constexpr u64 kMaxSnapshotBytes = u64{1} << 30;
inline constexpr u32 kMaxSnapshots = 65536;
inline constexpr u32 kMaxSnapshotExtra = 1024;
inline constexpr u32 kMaxBackingName = 1023;
inline constexpr u64 kMaxOffset = u64{1} << 56; ///< of anything in the file

template <typename T>
[[nodiscard]] T load_be(const std::byte *bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return sizeof(T) == 1 ? value : std::byteswap(value);
}
template <typename T>
void store_be(std::byte *bytes, T value) {
    if constexpr (sizeof(T) > 1) value = std::byteswap(value);
    std::memcpy(bytes, &value, sizeof(T));
}

/// Where compressed data lies: at any byte, in whole 512-byte sectors from the one it begins in.
struct CompressedExtent {
    u64 offset = 0;
    u64 length = 0; ///< at least that of the data
};
[[nodiscard]] inline CompressedExtent compressed_extent(u64 entry, u32 cluster_bits) {
    const unsigned offset_bits = 62 - (cluster_bits - 8);
    const u64 offset = entry & ones(offset_bits);
    const u64 sectors = bits(entry, 61, offset_bits) + 1;
    return {offset, sectors * kSectorSize - offset % kSectorSize};
}
[[nodiscard]] inline u64 compressed_entry(u64 offset, u64 length, u32 cluster_bits) {
    const unsigned offset_bits = 62 - (cluster_bits - 8);
    const u64 last = (offset + length - 1) / kSectorSize;
    return kCompressed | (last - offset / kSectorSize) << offset_bits | offset;
}

} // namespace tandem::machine::qcow2
