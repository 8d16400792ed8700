#pragma once
/// Every A64 encoding, one row each, from the tables: INST(name, "title", "pattern", feature).
///
/// A pattern has 32 characters, bit 31 first, in the manual's notation: 0 and 1 are fixed, '-' is
/// ignored by the CPU, a letter is a bit of the field of that name. A field's bits may lie apart;
/// they are concatenated from the left. Where rows overlap, the one with more fixed bits wins,
/// among those whose feature the CPU has (so that a hint without its feature is a NOP).
/// Field values that are reserved inside a row are the translator's business.
#include "frontend-arm/state/features.h"

#include <string_view>

namespace tandem::arm::a64 {

enum class Row : u16 {
#define INST(name, ...) name,
#include "frontend-arm/a64/tables/all.inc"
    kUndefined ///< no row matches
};
inline constexpr unsigned kRowCount = static_cast<unsigned>(Row::kUndefined);

struct RowInfo {
    std::string_view name;    ///< enumerator
    std::string_view title;   ///< the manual's heading
    std::string_view pattern; ///< 32 characters
    Feature feature;
    bool fp_simd; ///< uses FP or SIMD registers: trapped by CPACR_EL1.FPEN
    u32 mask;     ///< fixed bits
    u32 value;    ///< their values
};

[[nodiscard]] constexpr u32 pattern_mask(std::string_view pattern) {
    u32 mask = 0;
    for (const char c : pattern) mask = mask << 1 | (c == '0' || c == '1' ? 1u : 0u);
    return mask;
}
[[nodiscard]] constexpr u32 pattern_value(std::string_view pattern) {
    u32 value = 0;
    for (const char c : pattern) value = value << 1 | (c == '1' ? 1u : 0u);
    return value;
}

inline constexpr RowInfo kRows[] = {
#define TANDEM_ROW(name, title, pattern, feature, fp)                                              \
    {#name, title, pattern, Feature::feature, fp, pattern_mask(pattern), pattern_value(pattern)},
#define INST(name, title, pattern, feature) TANDEM_ROW(name, title, pattern, feature, false)
#define INST_FP(name, title, pattern, feature) TANDEM_ROW(name, title, pattern, feature, true)
#include "frontend-arm/a64/tables/all.inc"
#undef TANDEM_ROW
};

[[nodiscard]] constexpr const RowInfo &info(Row row) {
    return kRows[static_cast<unsigned>(row)];
}

} // namespace tandem::arm::a64
