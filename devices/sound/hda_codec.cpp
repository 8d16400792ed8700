#include "devices/sound/hda_codec.h"

namespace tandem::devices {

namespace {

// As on other boards of this kind, whose codec has the same widgets.
constexpr u32 kVendorAndDevice = 0x1af4'0022;
constexpr u32 kSubsystem = 0x1af4'0022;
constexpr u32 kRevision = 0x0010'0101;

constexpr u32 kRoot = 0, kFunctionGroup = 1, kFirstWidget = 2;

/// Table 140.
enum Parameter : u32 {
    kVendorId = 0x00,
    kRevisionId = 0x02,
    kSubordinateNodes = 0x04,
    kFunctionGroupType = 0x05,
    kWidgetCapabilities = 0x09,
    kPcmRates = 0x0a,
    kStreamFormats = 0x0b,
    kPinCapabilities = 0x0c,
    kConnectionListLength = 0x0e,
    kPowerStates = 0x0f,
};
/// Table 138; those of 12 bits, and those of 4 that have 16 bits of payload.
enum Verb : u32 {
    kSetFormat = 0x2,
    kGetFormat = 0xa,
    kGetParameter = 0xf00,
    kGetConnections = 0xf02,
    kGetPower = 0xf05,
    kSetPower = 0x705,
    kGetStream = 0xf06,
    kSetStream = 0x706,
    kGetPinControl = 0xf07,
    kSetPinControl = 0x707,
    kGetConfiguration = 0xf1c,
    kSetConfiguration = 0x71c, ///< to 0x71f, a byte each
    kGetSubsystem = 0xf20,
    kSetSubsystem = 0x720, ///< to 0x723
    kReset = 0x7ff,
};

constexpr u32 kAudioGroup = 1;
constexpr u32 kWidgetStereo = 1 << 0, kWidgetConnected = 1 << 8; ///< 7.3.4.6
/// 7.3.4.7: 16 bits, at 8, 11.025, 16, 22.05, 32, 44.1 and 48 kHz.
constexpr u32 kRatesAndSizes = 1 << 17 | 0x7f;
constexpr u32 kPcm = 1 << 0;
constexpr u32 kAllPowerStates = 0xf, kFullPower = 0; ///< D0 to D3
constexpr u8 kPinOutput = 1 << 6, kPinInput = 1 << 5;

/// Bytes of a register that is set by one verb for each.
u32 with_byte(u32 value, u32 index, u8 byte) {
    return static_cast<u32>(with_bits(value, index * 8 + 7, index * 8, byte));
}

} // namespace

struct HdaCodec::Widget {
    enum Type : u8 { AudioOutput, AudioInput, PinComplex = 4 };

    Type type = AudioOutput;
    u8 from = 0; ///< the node it is fed by; 0: none
    u32 pin_capabilities = 0;
    u32 configuration = 0;
};

constexpr std::array<HdaCodec::Widget, HdaCodec::kNodes> HdaCodec::kWidgets = [] {
    std::array<Widget, kNodes> widgets{};
#define WIDGET(name, node, type, from, pin, configuration)                                         \
    widgets[node] = {Widget::type, from, pin, configuration};
#include "devices/sound/hda_widgets.inc"
#undef WIDGET
    return widgets;
}();

void HdaCodec::reset() {
    state_ = {};
    state_.subsystem = kSubsystem;
    for (u32 node = kFirstWidget; node < kNodes; ++node)
        state_.nodes[node].configuration = kWidgets[node].configuration;
}

u32 HdaCodec::parameter(u32 node, u32 number) {
    if (node == kRoot) switch (number) {
        case kVendorId: return kVendorAndDevice;
        case kRevisionId: return kRevision;
        case kSubordinateNodes: return kFunctionGroup << 16 | 1;
        default: return 0;
        }
    if (node == kFunctionGroup) switch (number) {
        case kSubordinateNodes: return kFirstWidget << 16 | (kNodes - kFirstWidget);
        case kFunctionGroupType: return kAudioGroup;
        case kPcmRates: return kRatesAndSizes;
        case kStreamFormats: return kPcm;
        case kPowerStates: return kAllPowerStates;
        default: return 0;
        }
    const Widget &widget = kWidgets[node];
    switch (number) {
    case kWidgetCapabilities:
        return u32{widget.type} << 20 | kWidgetStereo | (widget.from != 0 ? kWidgetConnected : 0);
    case kPcmRates: return widget.type == Widget::PinComplex ? 0 : kRatesAndSizes;
    case kStreamFormats: return widget.type == Widget::PinComplex ? 0 : kPcm;
    case kPinCapabilities: return widget.pin_capabilities;
    case kConnectionListLength: return widget.from != 0 ? 1 : 0;
    default: return 0;
    }
}

u32 HdaCodec::execute(u32 command) {
    const u32 node = bits32(command, 27, 20);
    if (node >= kNodes) return 0;
    const u32 short_verb = bits32(command, 19, 16);
    if (short_verb == kGetFormat) return state_.nodes[node].format;
    if (short_verb == kSetFormat) {
        if (node >= kFirstWidget) state_.nodes[node].format = static_cast<u16>(command);
        return 0;
    }
    return execute_long(node, bits32(command, 19, 8), static_cast<u8>(command));
}

u32 HdaCodec::execute_long(u32 node, u32 verb, u8 payload) {
    Node &state = state_.nodes[node];
    const bool is_widget = node >= kFirstWidget;
    switch (verb) {
    case kGetParameter: return parameter(node, payload);
    case kGetConnections: return is_widget && payload == 0 ? kWidgets[node].from : 0;
    // The state it is in, and the one that was set.
    case kGetPower: return node == kFunctionGroup ? u32{state_.power} << 4 | state_.power : 0;
    case kGetStream: return state.stream;
    case kGetPinControl: return state.pin_control;
    case kGetConfiguration: return state.configuration;
    case kGetSubsystem: return node == kFunctionGroup ? state_.subsystem : 0;
    case kSetPower:
        if (node == kFunctionGroup) state_.power = payload & 3;
        return 0;
    case kReset:
        if (node == kFunctionGroup) reset();
        return 0;
    default: break;
    }
    if (node == kFunctionGroup && verb >= kSetSubsystem && verb < kSetSubsystem + 4)
        state_.subsystem = with_byte(state_.subsystem, verb - kSetSubsystem, payload);
    if (!is_widget) return 0;
    const bool is_pin = kWidgets[node].type == Widget::PinComplex;
    if (verb == kSetStream && !is_pin) state.stream = payload;
    if (verb == kSetPinControl && is_pin) state.pin_control = payload;
    if (verb >= kSetConfiguration && verb < kSetConfiguration + 4 && is_pin)
        state.configuration = with_byte(state.configuration, verb - kSetConfiguration, payload);
    return 0;
}

bool HdaCodec::is_connected(Direction direction, u32 stream, HdaFormat format) const {
    const Widget::Type type =
        direction == Direction::Playback ? Widget::AudioOutput : Widget::AudioInput;
    const bool is_known = (format.value & HdaFormat::kNotPcm) == 0 && format.sample_bytes() == 2 &&
                          format.channels() <= 2;
    // 7.3.3.11: stream 0 is none.
    if (!is_known || stream == 0 || state_.power != kFullPower) return false;
    for (u32 node = kFirstWidget; node < kNodes; ++node)
        if (kWidgets[node].type == type && state_.nodes[node].stream >> 4 == stream &&
            state_.nodes[node].format == format.value)
            return reaches_jack(node);
    return false;
}

bool HdaCodec::reaches_jack(u32 converter) const {
    if (const u32 jack = kWidgets[converter].from; jack != 0)
        return (state_.nodes[jack].pin_control & kPinInput) != 0;
    for (u32 node = kFirstWidget; node < kNodes; ++node)
        if (kWidgets[node].from == converter)
            return (state_.nodes[node].pin_control & kPinOutput) != 0;
    return false;
}

} // namespace tandem::devices
