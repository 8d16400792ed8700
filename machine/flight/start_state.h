#pragma once
/// Where a recording begins if not with a boot.
#include "machine/reverse/memories.h"

namespace tandem::machine::flight {

/// Before a replay's first board runs: makes the machine what its recording starts with. Nothing,
/// if that is a boot. `path` names the recording in errors.
[[nodiscard]] Result<> load_start(replay::Session &, Board &, std::span<OverlayDisk *const> disks,
                                  const std::string &path);

} // namespace tandem::machine::flight
