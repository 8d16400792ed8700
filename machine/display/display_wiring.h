#pragma once
/// What a window or a server needs of the machine that it shows.
#include "devices/backend/display.h"
#include "devices/virtio/input/input_kinds.h"
#include "machine/display/display_host.h"

#include <string>
#include <vector>

namespace tandem::machine {

struct DisplayWiring {
    DisplayHost &machine;
    std::vector<devices::InputKind> inputs;    ///< that it has
    std::vector<devices::DisplayMode> screens; ///< as they are from the start
    std::string title;
};

} // namespace tandem::machine
