#pragma once
#include "support/bits.h"

namespace tandem::machine::replay {

/// Ports of the gate are numbered in the order in which the machine's configuration makes them.
enum class PortId : u32 {};

} // namespace tandem::machine::replay
