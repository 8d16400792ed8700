#pragma once
/// What code in the cache was made for. Code is shared only between runs for which all of it is
/// equal: the program and its compiler's module (by build id), LLVM (likewise), the host's CPU, and
/// the guest's.
#include "jit/disk_cache/shard.h"

namespace tandem::jit {

struct CacheIdentity {
    Checksum value{};
    std::string made_for; ///< for people
};

/// `module` is the path of the compiler's module; `guest` says what else decides how guest code is
/// translated. Reads the files' build ids, no more.
[[nodiscard]] Result<CacheIdentity> identify(const std::string &module, unsigned host_level,
                                             u64 guest);

/// The GNU build id of an ELF file, as hexadecimal digits.
[[nodiscard]] Result<std::string> build_id(const std::string &path);

} // namespace tandem::jit
