#pragma once
/// What a person's hands do, as an input device sees it. machine/input implements it,
/// machine/replay wraps it.
#include "support/bits.h"

#include <vector>

namespace tandem::devices {

/// Numbered as Linux has them (uapi/linux/input-event-codes.h), which virtio 1.2 §5.8 takes over.
struct InputEvent {
    u16 type = 0;
    u16 code = 0;
    u32 value = 0; ///< relative movements are negative in two's complement

    bool operator==(const InputEvent &) const = default;
    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.type, self.code, self.value);
    }
};

/// What happened at once: its last event, and no other, is a SYN_REPORT.
using InputReport = std::vector<InputEvent>;
inline constexpr std::size_t kMaxInputReport = 64;

/// The lights of a keyboard, a bit for each LED_* code.
using InputLights = u16;

class InputListener {
public:
    virtual ~InputListener() = default;
    /// Reports wait where there were none. Any thread; no lock that the calls below take is held.
    virtual void reports_wait() = 0;
};

/// Without anybody in front of it. No call blocks or calls the listener: a device may hold its
/// mutex.
class Input {
public:
    virtual ~Input() = default;
    /// Takes the next report; false if none waits.
    [[nodiscard]] virtual bool receive(InputReport &) { return false; }
    /// The guest has switched lights on or off.
    virtual void set_lights(InputLights) {}
    /// At most one listener; null removes it and waits for a running call.
    virtual void set_listener(InputListener *) {}
};

} // namespace tandem::devices
