#pragma once
/// From what LLVM says of a function's patch points, in a section of the object file, to the sites
/// of its side exits.
#include "jit/regions/region_image.h"
#include "support/result.h"

#include <span>

namespace tandem::jit::llvm_tier {

/// Adds the sites of the image's exits, and where their values are.
[[nodiscard]] Result<> add_sites(std::span<const char> object, RegionImage &image);

} // namespace tandem::jit::llvm_tier
