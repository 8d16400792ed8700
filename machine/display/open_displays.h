#pragma once
/// Opens what people see the machine by.
#include "machine/display/display_config.h"
#include "machine/display/vnc_service.h"
#include "machine/display/window_service.h"

#include <memory>

namespace tandem::machine {

// What the wiring names outlives what is opened.
[[nodiscard]] Result<std::unique_ptr<VncService>> open_vnc(const VncConfig &,
                                                           const DisplayWiring &);
[[nodiscard]] Result<std::unique_ptr<WindowService>> open_windows(const SdlConfig &,
                                                                  const DisplayWiring &);

} // namespace tandem::machine
