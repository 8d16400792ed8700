#pragma once
/// The table of internal snapshots: what the file says of each.
#include "machine/storage/byte_file.h"
#include "machine/storage/qcow2/header.h"

namespace tandem::machine::qcow2 {

struct Snapshot {
    u64 l1_offset = 0;
    u32 l1_entries = 0;
    std::string id, name;
    u32 seconds = 0, nanoseconds = 0; ///< when it was taken, since 1970
    u64 guest_nanoseconds = 0;        ///< the guest's clock then
    u64 vm_state_bytes = 0;           ///< of a running machine, kept behind the disk
    u64 disk_size = 0;
    std::vector<std::byte> extra; ///< fields behind those
};

/// A table and how many bytes it has in the file.
struct SnapshotTable {
    std::vector<Snapshot> snapshots;
    u64 bytes = 0;
};

[[nodiscard]] Result<SnapshotTable> read_snapshot_table(ByteFile &, const Header &);
[[nodiscard]] std::vector<std::byte> snapshot_table_bytes(std::span<const Snapshot>);

} // namespace tandem::machine::qcow2
