#pragma once
/// The end of a profiled run, for people at a terminal.
#include "machine/profile/profile.h"

#include <string>

namespace tandem::machine::profile {

/// Shares by what executed, and the functions that took most.
[[nodiscard]] std::string summarise(const Profile &);

} // namespace tandem::machine::profile
