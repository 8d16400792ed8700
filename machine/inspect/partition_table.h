#pragma once
/// The partitions of a disk: GPT (UEFI 2.10 section 5.3) or MBR (section 5.2).
#include "machine/inspect/byte_window.h"

namespace tandem::machine {

/// What a partition's type says it is for, as far as booting goes.
enum class PartitionRole : u8 { Other, EfiSystem, BiosBoot, Arm64Root, X86Root };

struct Partition {
    PartitionRole role = PartitionRole::Other;
    u64 offset = 0, size = 0; ///< bytes
};

struct PartitionTable {
    enum class Kind : u8 { None, Mbr, Gpt };
    Kind kind = Kind::None;
    std::vector<Partition> partitions; ///< those that begin inside the disk

    [[nodiscard]] bool has(PartitionRole role) const {
        return std::ranges::find(partitions, role, &Partition::role) != partitions.end();
    }
};

[[nodiscard]] PartitionTable read_partition_table(const ByteWindow &disk);

} // namespace tandem::machine
