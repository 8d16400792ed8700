#pragma once
/// Names of code from an ELF file's own symbol tables.
#include "machine/debug/symbols.h"

#include <span>

namespace tandem::machine {

[[nodiscard]] bool is_elf(std::span<const std::byte> file);

/// Adds them, `offset` higher than they are linked. The error says what is wrong with the file,
/// without its name.
[[nodiscard]] Result<> add_elf_symbols(std::span<const std::byte> file, u64 offset, Symbols &);

} // namespace tandem::machine
