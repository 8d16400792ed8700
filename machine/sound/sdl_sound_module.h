#pragma once
/// The host's own loudspeaker and microphone. Implemented by a module of its own
/// (machine/sound/sdl).
#include "devices/backend/sound.h"
#include "support/result.h"

#include <memory>

namespace tandem::machine {

/// The module's only function. Without `hears` the microphone stays closed.
using OpenSdlSound = void(bool hears, Result<std::unique_ptr<devices::Sound>> &opened);
inline constexpr const char *kSdlSoundModule = "libtandem-sdl-sound.so";
inline constexpr const char *kOpenSdlSound = "tandem_open_sdl_sound";

} // namespace tandem::machine
