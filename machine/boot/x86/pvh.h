#pragma once
/// Xen's PVH boot protocol (docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h):
/// how it is noticed, and what it passes.
#include "machine/boot/x86/memory_list.h"

#include <cstddef>
#include <optional>
#include <span>

namespace tandem::machine::x86 {

/// The entry point of XEN_ELFNOTE_PHYS32_ENTRY, if the ELF64 file has it. Nothing in it is trusted.
[[nodiscard]] std::optional<u32> pvh_entry(std::span<const std::byte> elf);

struct PvhModule {
    u64 address = 0, size = 0;
};

/// Bytes of hvm_start_info and what it leads to, to be put at `address`.
[[nodiscard]] std::vector<std::byte> pvh_start_info(u64 address, u64 command_line, u64 acpi,
                                                    std::optional<PvhModule> module,
                                                    std::span<const MemoryArea> memory);

} // namespace tandem::machine::x86
