#pragma once
/// From an object file to a RegionImage, by JITLink: sections are laid out and what they refer to
/// in each other is settled; what they refer to outside becomes relocations. Its stack maps stay
/// behind.
#include "jit/regions/region_image.h"
#include "support/result.h"

#include <span>
#include <string_view>

namespace tandem::jit::llvm_tier {

/// Says what a symbol that the object lacks is; false if nothing.
using FindSymbol = bool (*)(std::string_view name, Relocation &out);

/// Code, entry and relocations of the image; `entry` names its function.
[[nodiscard]] Result<RegionImage> link_object(std::span<const char> object, std::string_view entry,
                                              FindSymbol find);

} // namespace tandem::jit::llvm_tier
