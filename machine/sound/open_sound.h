#pragma once
#include "devices/backend/sound.h"
#include "machine/sound/sound_config.h"
#include "support/result.h"

#include <memory>

namespace tandem::machine {

/// What a machine's sound device is connected to. Errors begin with --audio.
[[nodiscard]] Result<std::unique_ptr<devices::Sound>> open_sound(const SoundConfig &);

} // namespace tandem::machine
