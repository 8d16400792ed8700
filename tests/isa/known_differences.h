#pragma once
/// Differences from the oracle that are explained: where the architecture leaves a choice, or where
/// the oracle departs from it.
#include "tests/isa/protocol.h"

#include <string_view>

namespace tandem::isa {

/// The explanation with its clause of the Arm ARM, or an empty string if there is none.
[[nodiscard]] std::string_view known_difference(const isa_case &test, const isa_outcome &ours,
                                                const isa_outcome &theirs);

} // namespace tandem::isa
