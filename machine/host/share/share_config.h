#pragma once
/// A folder of the host that the guest may use.
#include "support/bits.h"

#include <string>

namespace tandem::machine {

struct ShareConfig {
    enum class Protocol : u8 { VirtioFs, NineP };

    std::string path;
    std::string tag; ///< its name in the guest
    bool readonly = false;
    Protocol protocol = Protocol::VirtioFs;
};

} // namespace tandem::machine
