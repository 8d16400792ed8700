#pragma once
/// A move as those who watch it see it.
#include "support/bits.h"

#include <string>

namespace tandem::machine {

/// QEMU's MigrationStatus (qapi/migration.json), as far as it applies.
enum class MoveState : u8 { None, Setup, Active, Device, Completed, Failed, Cancelling, Cancelled };

struct MoveReport {
    MoveState state = MoveState::None;
    std::string error;
    u64 total_ns = 0;
    u64 pause_ns = 0;          ///< for how long the guest stood still, once it has been moved
    u64 expected_pause_ns = 0; ///< if it were stopped now
    u64 rounds = 0;
    u64 total_bytes = 0;     ///< of memory, flash and disks' changes
    u64 remaining_bytes = 0; ///< of these
    u64 sent_bytes = 0;      ///< on the wire
    u64 pages = 0, zero_pages = 0, packed_pages = 0;
    u64 bytes_per_second = 0;   ///< of pages, lately
    u64 written_per_second = 0; ///< by the guest
    unsigned throttle_percent = 0;
};

struct MoveParameters {
    u64 bytes_per_second = 0; ///< at most; 0: no limit
    u64 pause_ms = 100;       ///< how long the guest may stand still
    bool slows_guest = true;  ///< if it writes faster than the line takes
};

} // namespace tandem::machine
