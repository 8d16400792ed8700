#pragma once
/// ACPI tables of the board for x86-64 guests (ACPI 6.5, hardware-reduced), ready to be read where
/// they are put.
#include "support/bits.h"

#include <vector>

namespace tandem::machine {

struct MicrovmTables {
    u64 root = 0; ///< address of the root pointer
    std::vector<u8> bytes;
};

/// Of a board with so many CPUs, whose local APICs are numbered from 0, and virtio devices in the
/// first `virtio_slots` slots; to be put at `address`.
[[nodiscard]] MicrovmTables build_microvm_tables(u64 address, unsigned cpus, unsigned virtio_slots);

} // namespace tandem::machine
