#pragma once
/// The codec behind the controller (Intel HD Audio 1.0a, chapter 7): an audio function group with
/// the widgets of hda_widgets.inc. Guarded by the controller's mutex.
#include "devices/sound/hda_format.h"

#include <array>

namespace tandem::devices {

class HdaCodec {
public:
    HdaCodec() { reset(); }

    enum class Direction : u8 { Playback, Capture };

    /// Runs a command, the codec's address left out; returns the response.
    [[nodiscard]] u32 execute(u32 command);
    /// Whether a converter takes that stream in that format, and reaches its jack.
    [[nodiscard]] bool is_connected(Direction, u32 stream, HdaFormat) const;
    void reset();

    static constexpr u32 kNodes = 6; ///< root, function group, widgets

    struct Node {
        u16 format = 0;
        u8 stream = 0; ///< and channel, of a converter
        u8 pin_control = 0;
        u32 configuration = 0; ///< of a pin

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.format, self.stream, self.pin_control, self.configuration);
        }
    };
    struct State {
        u8 power = 0;
        u32 subsystem = 0;
        std::array<Node, kNodes> nodes{};

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.power, self.subsystem, self.nodes);
        }
    };
    [[nodiscard]] const State &saved() const { return state_; }
    /// Any state is harmless.
    void restore(const State &state) { state_ = state; }

private:
    struct Widget;
    static const std::array<Widget, kNodes> kWidgets;

    [[nodiscard]] static u32 parameter(u32 node, u32 number);
    [[nodiscard]] u32 execute_long(u32 node, u32 verb, u8 payload);
    [[nodiscard]] bool reaches_jack(u32 converter) const;

    State state_;
};

} // namespace tandem::devices
