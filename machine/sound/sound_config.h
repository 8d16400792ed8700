#pragma once
/// Where a machine's sound goes, and comes from. Plain data.
#include "support/bits.h"

#include <string>

namespace tandem::machine {

struct SoundConfig {
    enum class Kind : u8 {
        None, ///< nobody listens, and the microphone hears nothing
        Wav,
        Sdl, ///< the host's loudspeaker
    };

    Kind kind = Kind::None;
    std::string out;    ///< of Wav: what is played
    std::string in;     ///< likewise what the microphone hears; empty: nothing
    bool hears = false; ///< of Sdl: the host's microphone is the guest's
};

} // namespace tandem::machine
