#include "devices/pcie/express.h"

namespace tandem::devices::express {

void define(ConfigSpace &config, u32 at, Kind kind) {
    // Of the capabilities register: version 2, the kind, whether there is a slot.
    constexpr u32 kVersion = 2, kKindShift = 4, kHasSlot = 1 << 8;
    constexpr u32 I = 1, E = 2, R = 4;
    u32 own = 0, identity = 0;
    switch (kind) {
    case Kind::IntegratedEndpoint: own = I, identity = 9 << kKindShift; break;
    case Kind::Endpoint: own = E, identity = 0; break;
    case Kind::RootPort: own = R, identity = 4 << kKindShift | kHasSlot; break;
    }
    config.define(at + kCapabilities, 2, kVersion | identity);
#define EXPRESS(name, offset, bytes, kinds, value, writable, cleared)                              \
    if (((kinds) & own) != 0) config.define(at + (offset), bytes, value, writable, cleared);
#include "devices/pcie/express.inc"
}

} // namespace tandem::devices::express
