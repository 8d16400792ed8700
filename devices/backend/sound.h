#pragma once
/// A loudspeaker and a microphone. machine/sound implements them, machine/replay wraps them.
#include "support/bits.h"

#include <span>

namespace tandem::devices {

struct SoundFrame {
    i16 left = 0, right = 0;

    bool operator==(const SoundFrame &) const = default;
};

/// A Sound without a host end: what is played is gone, and it records silence. No call blocks: a
/// device may hold its mutex. A device plays and records at the pace of its guest's time.
class Sound {
public:
    virtual ~Sound() = default;
    /// Guest to host, at `rate` frames a second. What the host has no room for is lost.
    virtual void play(u32 rate, std::span<const SoundFrame> frames) {
        static_cast<void>(rate);
        static_cast<void>(frames);
    }
    /// Host to guest: fills all of it, with silence if there is nothing else.
    virtual void record(u32 rate, std::span<SoundFrame> frames) {
        static_cast<void>(rate);
        for (SoundFrame &frame : frames) frame = {};
    }
};

} // namespace tandem::devices
