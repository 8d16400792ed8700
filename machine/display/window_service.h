#pragma once
/// Windows onto the machine's screens. Implemented by a module of its own (machine/display/sdl).
#include "machine/display/display_config.h"
#include "machine/display/display_wiring.h"
#include "support/result.h"

#include <memory>

namespace tandem::machine {

/// They are open until it is destroyed.
class WindowService {
public:
    virtual ~WindowService() = default;
};

/// The module's only function. What the wiring names outlives the windows.
using OpenWindows = void(const SdlConfig &, const DisplayWiring &,
                         Result<std::unique_ptr<WindowService>> &opened);
inline constexpr const char *kSdlModule = "libtandem-sdl.so";
inline constexpr const char *kOpenWindows = "tandem_open_windows";

} // namespace tandem::machine
