#pragma once
/// Says what a search has found, for people.
#include "machine/bisect/search.h"

#include <string_view>

namespace tandem::machine::bisect {

/// What runs the two machines.
struct EngineNames {
    std::string_view candidate, reference;
};

/// Lines: the instruction, and in what the machines differ after it. They may be elsewhere
/// afterwards.
[[nodiscard]] Result<std::string> describe(const Finding &, Subject &candidate, Subject &reference,
                                           const EngineNames &);

} // namespace tandem::machine::bisect
