#pragma once
/// The symbol table that a Linux kernel has in its own memory (CONFIG_KALLSYMS), as kernels
/// from 4.20 on lay it out. The guest may have put anything there.
#include "support/bits.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem::machine::profile {

struct KernelSymbol {
    u64 address = 0;
    char type = 0; ///< as nm has it
    std::string name;
};

/// Where in memory that may change meanwhile there is something like such a table; nothing if there
/// is none: a quick look, which saves many a copy.
[[nodiscard]] std::optional<std::size_t> find_token_table(std::span<const std::byte> memory);

/// The symbols of the kernel whose read-only data is in `memory`, which is mapped at `va`; nothing
/// if there is no sound table, or one of a kernel that has not relocated itself to where it is.
[[nodiscard]] std::optional<std::vector<KernelSymbol>>
find_kallsyms(std::span<const std::byte> memory, u64 va);

} // namespace tandem::machine::profile
