#pragma once
/// The stream between the two processes of a move: a preamble each way, then frames each way.
/// Numbers are little-endian. Nothing that comes in is trusted: every length has a limit, every
/// frame a checksum.
#include "support/bits.h"

#include <array>
#include <cstddef>
#include <span>

namespace tandem::machine::move {

inline constexpr std::array<char, 8> kMagic{'T', 'A', 'N', 'D', 'E', 'M', '\x1a', 'M'};
inline constexpr u32 kStreamVersion = 1;

struct Preamble {
    std::array<char, 8> magic = kMagic;
    u32 version = kStreamVersion;
    u32 reserved = 0;
};
static_assert(sizeof(Preamble) == 16);

// clang-format off
enum class FrameKind : u32 {
    // From the source, in this order; Pages, ZeroPages and RoundEnd repeat.
    Machine   = 1, ///< its manifest, JSON (machine/snapshot/manifest.h)
    Pages     = 2, ///< PageHeader, page numbers, bytes
    ZeroPages = 3, ///< PageHeader, page numbers
    RoundEnd  = 4, ///< wants a RoundTaken
    State     = 5, ///< of a part: the length of its name (u32), its name, its bytes
    End       = 6, ///< what the disks hold now, JSON; the source has given them up
    Go        = 7, ///< one byte, GoByte: the machine is the target's now
    // From the target.
    Accepted   = 16, ///< the Machine
    RoundTaken = 17,
    Ready      = 18, ///< it could run: state, disks and all
    Running    = 19, ///< it does
    // From either: a line that says why there is no move.
    Failed     = 32,
};
// clang-format on

enum class GoByte : u8 { StandsStill = 0, Runs = 1 };

struct FrameHeader {
    FrameKind kind{};
    u32 bytes = 0; ///< behind it
    u64 hash = 0;  ///< XXH3 of these, seeded with the kind
};
static_assert(sizeof(FrameHeader) == 16);

inline constexpr u32 kMaxFrame = 64u << 20;
inline constexpr u32 kMaxReason = 4096; ///< bytes of a Failed that are looked at

inline constexpr std::size_t kPageSize = 4096;
/// Pages of a frame, at most. They fit a core's cache together with their copy.
inline constexpr u32 kPagesPerFrame = 64;
/// Page numbers of a ZeroPages frame, at most.
inline constexpr u32 kZeroPagesPerFrame = 16384;

enum class PageEncoding : u32 { Raw = 0, Zstd = 1 };

struct PageHeader {
    u32 region = 0; ///< its place among the regions, which both sides know
    u32 count = 0;  ///< page numbers that follow, each a u64
    PageEncoding encoding = PageEncoding::Raw;
    u32 reserved = 0;
};
static_assert(sizeof(PageHeader) == 16);

} // namespace tandem::machine::move
