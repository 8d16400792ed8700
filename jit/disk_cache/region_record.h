#pragma once
/// A compiled region as it outlives the process: the guest code it was made from, byte for byte,
/// and its image.
#include "jit/regions/region.h"
#include "jit/regions/region_image.h"

#include <array>
#include <optional>
#include <span>
#include <vector>

namespace tandem::jit {

/// Names a region by what it was made from: XXH3 of its outline and guest code.
using RegionId = std::array<u64, 2>;

struct RegionRecord {
    RegionOutline outline;
    std::vector<std::byte> guest_code; ///< of the extents, one after the other
    RegionImage image;

    [[nodiscard]] RegionId id() const;
};

/// What memory holds in some ranges.
struct GuestCode {
    struct Part {
        CodeRange range;
        std::vector<std::byte> bytes; ///< as many as the range has
    };
    std::vector<Part> parts;

    /// What is there from a page offset to the end of its range; empty if that is not known.
    [[nodiscard]] std::span<const std::byte> at(i64 page, u32 page_offset) const;
};
/// The bytes of the outline's extents; none if they are not all there.
[[nodiscard]] std::vector<std::byte> guest_code_of(const RegionOutline &outline,
                                                   const GuestCode &code);

/// What finds a region: the block at one of its entries, by XXH3. Equal keys promise nothing.
[[nodiscard]] u64 entry_key(u32 mode, u32 page_offset, std::span<const std::byte> guest_code);
/// Of all entries.
[[nodiscard]] std::vector<u64> entry_keys(const RegionRecord &record);

[[nodiscard]] std::vector<std::byte> encode(const RegionRecord &record);
/// Whatever the bytes are, a record that is returned may be placed and run into side exits without
/// reading or writing where it must not; nothing if they are no such record.
[[nodiscard]] std::optional<RegionRecord> decode(std::span<const std::byte> bytes);

} // namespace tandem::jit
