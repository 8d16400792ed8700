#pragma once
/// Loads ELF64 executables that run without an operating system, for whatever architecture.
#include "machine/boot/kernel_image.h"

namespace tandem::machine {

/// Of a little-endian file that sniff() knows as an ELF executable, for a machine with RAM at
/// [ram_base, ram_base + ram_size). Nothing in the file is trusted. Errors are one line.
[[nodiscard]] Result<KernelImage> load_elf_image(const std::string &path, FileBytes file,
                                                 u64 ram_base, u64 ram_size);

} // namespace tandem::machine
