#pragma once
/// Puts a kernel, its initrd and its device tree into guest memory.
#include "machine/boot/fdt_tree.h"
#include "machine/memory/guest_memory.h"

#include <array>
#include <string>

namespace tandem::machine {

struct BootFiles {
    std::string kernel, initrd, dtb, append;
};

struct BootSeeds {
    std::array<std::byte, 32> rng{};  ///< /chosen rng-seed
    std::array<std::byte, 8> kaslr{}; ///< /chosen kaslr-seed
};

/// Registers of the boot CPU.
struct BootEntry {
    u64 entry = 0;
    u64 device_tree = 0; ///< X0
    u64 end = 0;         ///< RAM above it is free
};

/// Loads everything. `board_tree` is used, and completed, unless files.dtb names another.
///
/// Layout: the device tree at the start of RAM, the kernel where its header or program headers say
/// (an Image 2 MiB above the start), the initrd behind it and not below 128 MiB if RAM is that
/// large.
[[nodiscard]] Result<BootEntry> load_boot_files(const BootFiles &, const BootSeeds &, GuestMemory &,
                                                FdtTree &board_tree);

/// For firmware that finds kernels itself: only the device tree, at the start of RAM.
[[nodiscard]] Result<> load_device_tree(const BootFiles &, const BootSeeds &, GuestMemory &,
                                        FdtTree &board_tree);

} // namespace tandem::machine
