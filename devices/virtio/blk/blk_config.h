#pragma once
/// What the driver and the virtio block device agree on in memory (virtio 1.2 §5.2).
#include "support/bits.h"

namespace tandem::devices::virtio_blk {

// Feature bits, §5.2.3.
inline constexpr u64 kFeatureSegMax = u64{1} << 2;
inline constexpr u64 kFeatureReadOnly = u64{1} << 5;
inline constexpr u64 kFeatureBlockSize = u64{1} << 6;
inline constexpr u64 kFeatureFlush = u64{1} << 9;
inline constexpr u64 kFeatureTopology = u64{1} << 10;
inline constexpr u64 kFeatureMultiqueue = u64{1} << 12;
inline constexpr u64 kFeatureDiscard = u64{1} << 13;
inline constexpr u64 kFeatureWriteZeroes = u64{1} << 14;

/// §5.2.4
struct Config {
    u64 capacity = 0; ///< in sectors
    u32 size_max = 0;
    u32 seg_max = 0;
    u16 cylinders = 0;
    u8 heads = 0;
    u8 sectors = 0;
    u32 blk_size = 0;
    u8 physical_block_exp = 0;
    u8 alignment_offset = 0;
    u16 min_io_size = 0;
    u32 opt_io_size = 0;
    u8 writeback = 0;
    u8 unused0 = 0;
    u16 num_queues = 0;
    u32 max_discard_sectors = 0;
    u32 max_discard_seg = 0;
    u32 discard_sector_alignment = 0;
    u32 max_write_zeroes_sectors = 0;
    u32 max_write_zeroes_seg = 0;
    u8 write_zeroes_may_unmap = 0;
    u8 unused1[3] = {};
};
static_assert(sizeof(Config) == 64);
static_assert(__builtin_offsetof(Config, write_zeroes_may_unmap) == 56);

// Request types, §5.2.6.
inline constexpr u32 kTypeIn = 0;
inline constexpr u32 kTypeOut = 1;
inline constexpr u32 kTypeFlush = 4;
inline constexpr u32 kTypeGetId = 8;
inline constexpr u32 kTypeDiscard = 11;
inline constexpr u32 kTypeWriteZeroes = 13;

struct RequestHeader {
    u32 type = 0;
    u32 reserved = 0;
    u64 sector = 0;
};

struct DiscardSegment {
    u64 sector = 0;
    u32 num_sectors = 0;
    u32 flags = 0;
};
inline constexpr u32 kDiscardUnmap = 1;

// Status bytes, §5.2.6.
inline constexpr u8 kStatusOk = 0;
inline constexpr u8 kStatusIoError = 1;
inline constexpr u8 kStatusUnsupported = 2;

inline constexpr u64 kSectorSize = 512;
inline constexpr u32 kIdentityLength = 20;

} // namespace tandem::devices::virtio_blk
