#pragma once
/// What the driver and the virtio balloon agree on in memory (virtio 1.2 §5.5).
#include "support/bits.h"

namespace tandem::devices::virtio_balloon {

// Feature bits, §5.5.3.
inline constexpr u64 kFeatureStatistics = u64{1} << 1;
inline constexpr u64 kFeaturePagePoison = u64{1} << 4;
inline constexpr u64 kFeatureReporting = u64{1} << 5;

inline constexpr u64 kPageSize = 4096; ///< whatever the guest's is

/// §5.5.4
struct Config {
    u32 target = 0; ///< num_pages: how many the device asks for
    u32 actual = 0; ///< how many the driver has given
    u32 free_page_hint = 0;
    u32 poison = 0; ///< what the driver fills free pages with
};
static_assert(sizeof(Config) == 16);

/// §5.5.6.3
struct [[gnu::packed]] Statistic {
    u16 tag = 0;
    u64 value = 0;
};
static_assert(sizeof(Statistic) == 10);

} // namespace tandem::devices::virtio_balloon
