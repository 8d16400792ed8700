#pragma once
/// The translation cache (jit/disk_cache) for people: what is in it, whether it is sound.
#include "support/bits.h"
#include "support/result.h"

#include <string>
#include <vector>

namespace tandem::machine {

/// What one build on one host keeps for one guest CPU.
struct CachePart {
    std::string made_for;
    u64 regions = 0, hot = 0; ///< hot ones are used as soon as the guest gets there
    u64 bytes = 0;
    i64 last_used = 0;  ///< seconds since 1970
    std::string damage; ///< why a file of it cannot be read; empty: all can
};
/// The one used last comes first.
[[nodiscard]] std::vector<CachePart> translation_cache_parts(const std::string &directory);

/// How many regions there are. The error names the first file that is damaged.
[[nodiscard]] Result<u64> verify_translation_cache(const std::string &directory);

/// How many bytes are free now.
[[nodiscard]] Result<u64> clear_translation_cache(const std::string &directory);

} // namespace tandem::machine
