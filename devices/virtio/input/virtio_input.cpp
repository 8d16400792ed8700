#include "devices/virtio/input/virtio_input.h"

#include "devices/virtio/core/config_space.h"

#include <linux/input.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tandem::devices {

using namespace virtio_input;

namespace {

constexpr u16 kVendor = 0x0627; ///< as QEMU's devices have it
constexpr u16 kVersion = 1;

u8 fill_text(std::string_view text, std::span<u8> value) {
    const std::size_t size = std::min(text.size(), value.size());
    std::copy_n(text.begin(), size, value.begin());
    return static_cast<u8>(size);
}

template <typename T>
u8 fill_object(const T &object, std::span<u8> value) {
    std::memcpy(value.data(), &object, sizeof object);
    return sizeof object;
}

/// §5.8.4: as many bytes as it takes to hold the last bit that is set.
template <typename Bits>
u8 fill_bits(const Bits &bits, std::span<u8> value) {
    u8 size = 0;
    for (std::size_t i = 0; i < bits.size() && i / 8 < value.size(); ++i) {
        if (!bits.test(i)) continue;
        value[i / 8] = static_cast<u8>(value[i / 8] | 1u << i % 8);
        size = static_cast<u8>(i / 8 + 1);
    }
    return size;
}

} // namespace

// -------------------------------------------------------------------------------- configuration

u8 VirtioInput::fill_value(std::span<u8, kMaxValue> value) const {
    switch (static_cast<Select>(state_.select)) {
    case Select::Name: return state_.subselect == 0 ? fill_text(profile_.name, value) : u8{0};
    case Select::Serial: return state_.subselect == 0 ? fill_text(serial_, value) : u8{0};
    case Select::DeviceIds:
        if (state_.subselect != 0) return 0;
        return fill_object(DeviceIds{BUS_VIRTUAL, kVendor, profile_.product, kVersion}, value);
    case Select::Properties: {
        if (state_.subselect != 0) return 0;
        std::bitset<INPUT_PROP_CNT> bits;
        for (const u16 property : profile_.properties) bits.set(property);
        return fill_bits(bits, value);
    }
    case Select::EventBits: return fill_bits(codes_of(profile_, state_.subselect), value);
    case Select::AxisInfo: {
        const auto axis = std::ranges::find(profile_.axes, state_.subselect, &InputAxis::code);
        if (axis == profile_.axes.end()) return 0;
        return fill_object(virtio_input::AxisInfo{.maximum = axis->maximum}, value);
    }
    case Select::Unset: break;
    }
    return 0;
}

void VirtioInput::read_config(u32 offset, std::span<std::byte> target) {
    Config config{.select = state_.select, .subselect = state_.subselect};
    config.size = fill_value(config.value);
    read_config_struct(config, offset, target);
}

void VirtioInput::write_config(u32 offset, std::span<const std::byte> source) {
    for (std::size_t i = 0; i < source.size(); ++i) {
        const auto byte = std::to_integer<u8>(source[i]);
        if (offset + i == offsetof(Config, select)) state_.select = byte;
        if (offset + i == offsetof(Config, subselect)) state_.subselect = byte;
    }
}

// ---------------------------------------------------------------------------------------- queues

void VirtioInput::notify(u32 queue) {
    const std::scoped_lock lock(transport().mutex());
    if (!transport().is_running()) return;
    state_.has_driver = true;
    if (queue == kEventQueue)
        send_events();
    else
        take_status();
}

void VirtioInput::reports_wait() {
    const std::scoped_lock lock(transport().mutex());
    if (!state_.has_driver)
        while (backend_.receive(report_)) continue;
    else if (transport().is_running())
        send_events();
}

void VirtioInput::send_events() {
    Virtqueue &queue = transport().queue(kEventQueue);
    std::size_t sent = 0;
    for (;;) {
        if (sent == state_.waiting.size()) {
            sent = 0;
            state_.waiting.clear();
            if (!backend_.receive(report_)) break;
            state_.waiting.assign(report_.begin(), report_.end());
            continue; // it may be empty
        }
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        const InputEvent &next = state_.waiting[sent];
        const Event event{next.type, next.code, next.value};
        // §5.8.6.1: buffers are at least as large as an event; others are of no use.
        const bool fits = chain_.write(0, std::as_bytes(std::span(&event, 1)));
        const u32 length = fits ? sizeof event : 0;
        if (fits) ++sent;
        chain_.report_written(transport().memory(), length);
        queue.push(chain_, length);
    }
    state_.waiting.erase(state_.waiting.begin(),
                         state_.waiting.begin() + static_cast<std::ptrdiff_t>(sent));
    transport().signal_used(kEventQueue);
}

void VirtioInput::take_status() {
    Virtqueue &queue = transport().queue(kStatusQueue);
    InputLights lights = state_.lights;
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        Event event;
        const bool is_light = chain_.read_object(0, event) && event.type == EV_LED &&
                              event.code < LED_CNT && codes_of(profile_, EV_LED).test(event.code);
        if (is_light) {
            const auto bit = static_cast<InputLights>(1u << event.code);
            lights = static_cast<InputLights>(event.value != 0 ? lights | bit : lights & ~bit);
        }
        queue.push(chain_, 0);
    }
    transport().signal_used(kStatusQueue);
    if (lights != state_.lights) set_lights(lights);
}

void VirtioInput::set_lights(InputLights lights) {
    state_.lights = lights;
    backend_.set_lights(lights);
}

// ----------------------------------------------------------------------------------------- state

void VirtioInput::reset() {
    if (state_.lights != 0) backend_.set_lights(0);
    state_ = {};
}

void VirtioInput::save(StateWriter &writer) const {
    save_state(writer, "virtio-input", state_);
}

Result<> VirtioInput::restore(StateReader &reader) {
    State state;
    if (auto result = restore_state(reader, "virtio-input", state); !result) return result;
    if (state.waiting.size() > kMaxInputReport)
        return failure("snapshot: virtio-input has more waiting events than a report can have");
    state_ = std::move(state);
    backend_.set_lights(state_.lights);
    return {};
}

} // namespace tandem::devices
