#pragma once
/// The layout of a recording: a header, the manifest (JSON), and chunks of entries, each compressed
/// and with a checksum of its own, so that a file that ends early is good up to its last whole
/// chunk. Numbers are little-endian; those within entries are LEB128.
///
/// A recording that does not begin with a boot begins with Pages and State, the last piece of which
/// says so; each memory's pages that are not there hold nothing.
///
///     entry   kind, nanoseconds since the entry before, and of the kind
///     Input   port, number of bytes, the bytes
///     Check   devices (8 bytes), memory (8 bytes)
///     End     reason, instructions, state (8 bytes), outputs (8 bytes)
///     Page    memory, page, its bytes
///     State   whether it is the last piece, number of bytes, the bytes
#include "support/bits.h"

#include <array>
#include <cstddef>

namespace tandem::machine::replay {

inline constexpr std::array<char, 8> kRecordingMagic{'T', 'A', 'N', 'D', 'E', 'M', '\x1a', 'R'};
/// Of the layout and of all that decides how a machine runs: one that would run otherwise needs
/// another version.
inline constexpr u32 kRecordingVersion = 4;

struct RecordingHeader {
    std::array<char, 8> magic = kRecordingMagic;
    u32 version = kRecordingVersion;
    u32 manifest_bytes = 0;
    u64 manifest_hash = 0; ///< XXH3
    u64 header_hash = 0;   ///< XXH3 of what precedes it
};
static_assert(sizeof(RecordingHeader) == 32);

struct ChunkHeader {
    u32 bytes = 0;     ///< as compressed
    u32 raw_bytes = 0; ///< at most kMaxChunk
    u64 hash = 0;      ///< XXH3 of the compressed bytes, seeded with the moment
    u64 moment = 0;    ///< from which the first entry counts
};
static_assert(sizeof(ChunkHeader) == 24);

inline constexpr std::size_t kMaxManifest = 1u << 20;
inline constexpr std::size_t kMaxChunk = 1u << 20;
/// A chunk that has this much is written.
inline constexpr std::size_t kFullChunk = 64u << 10;
/// Of one input. A frame of the network is the largest.
inline constexpr std::size_t kMaxInput = 128u << 10;
static_assert(kFullChunk + kMaxInput + 64 <= kMaxChunk);

enum class EntryKind : u8 { Input, Check, End, Page, State };

} // namespace tandem::machine::replay
