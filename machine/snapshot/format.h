#pragma once
/// The layout of a snapshot file: a header, compressed frames of pages, and at the end the index,
/// compressed as well. Numbers are little-endian. What an index may hold is in snapshot_index.h.
#include "support/bits.h"

#include <array>

namespace tandem::machine::snapshot {

inline constexpr std::array<char, 8> kMagic{'T', 'A', 'N', 'D', 'E', 'M', '\x1a', 'S'};
inline constexpr u32 kFormatVersion = 1;

inline constexpr std::size_t kPageSize = 4096;
/// Pages compressed together. More compress better, and take longer to unpack when one is needed.
inline constexpr u32 kPagesPerFrame = 32;
inline constexpr std::size_t kFrameSize = kPagesPerFrame * kPageSize;

/// The name of a snapshot file that only others still need is ".<id>" with this ending.
inline constexpr const char *kFileEnding = ".snapshot";

/// Of the content: XXH3 of the index, which has the checksums of all else.
using SnapshotId = std::array<u64, 2>;

struct FileHeader {
    std::array<char, 8> magic = kMagic;
    u32 version = kFormatVersion;
    u32 header_bytes = 0;
    u64 file_bytes = 0;
    u64 index_offset = 0, index_bytes = 0; ///< as compressed
    u64 index_raw_bytes = 0;
    SnapshotId id{};
    u64 header_hash = 0; ///< XXH3 of what precedes it
};
static_assert(sizeof(FileHeader) == 72);

/// What a region's page map says of a page: one of these, or kFirstSlot plus the number of one of
/// the region's stored pages.
inline constexpr u32 kPageAbsent = 0; ///< not the snapshot's: it lies in the disk below an overlay
inline constexpr u32 kPageZero = 1;
inline constexpr u32 kFirstSlot = 2;
inline constexpr u32 kPageInParent = ~u32{0}; ///< as the snapshot that this one is based on has it

} // namespace tandem::machine::snapshot
