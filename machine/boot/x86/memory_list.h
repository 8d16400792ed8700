#pragma once
/// The list of physical memory that a PC's firmware gives: ACPI 6.5, 15, "System Address Map
/// Interfaces".
#include "support/bits.h"

#include <vector>

namespace tandem::machine::x86 {

struct MemoryArea {
    /// The values of AddressRangeMemory and so on, in the table and in hvm_memmap_table_entry.
    enum class Kind : u32 { Ram = 1, Reserved = 2 };
    u64 address = 0, size = 0;
    Kind kind = Kind::Ram;
    bool operator==(const MemoryArea &) const = default;
};

/// Of a machine with so many bytes of RAM.
[[nodiscard]] std::vector<MemoryArea> memory_list(u64 ram_size);

} // namespace tandem::machine::x86
