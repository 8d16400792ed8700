#pragma once
/// What a snapshot says of the machine it is of, as JSON.
#include "machine/board/machine_config.h"
#include "support/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine::snapshot {

/// How a disk was when the snapshot was taken.
struct DiskRecord {
    u64 size = 0;             ///< of the disk, in bytes
    std::string content;      ///< of a file that does not change: its size and time; else empty
    std::string kept_as = {}; ///< the internal snapshot of the image that belongs to this one
};

struct Manifest {
    MachineConfig config; ///< without what concerns the host alone
    std::vector<DiskRecord> disks;
};

[[nodiscard]] std::string to_json(const Manifest &);
/// `path` names the snapshot in errors.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view json, const std::string &path);

/// Whether a machine of this configuration can take over the state; the error names the option.
/// `owner` begins what it says of the state, such as "F was saved with".
[[nodiscard]] Result<> check_same_machine(const MachineConfig &saved, const MachineConfig &wanted,
                                          const std::string &owner);

} // namespace tandem::machine::snapshot
