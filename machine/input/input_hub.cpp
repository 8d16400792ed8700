#include "machine/input/input_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace tandem::machine {

using devices::InputEvent;
using devices::InputKind;
using devices::InputReport;

namespace {

/// What is not taken by then is lost, and whoever did it hears of it.
constexpr std::size_t kMaxWaiting = 1024;
constexpr std::size_t kMaxChords = 256;

constexpr u16 axis_code(InputAxisName axis, u16 x, u16 y) {
    return axis == InputAxisName::X ? x : y;
}

/// What a button is on the wire: a key that is pressed, or a step of a wheel.
struct ButtonRow {
    InputButton button;
    u16 type, code;
    i32 step;
};
constexpr ButtonRow kButtons[] = {
    {InputButton::Left, EV_KEY, BTN_LEFT, 0},
    {InputButton::Middle, EV_KEY, BTN_MIDDLE, 0},
    {InputButton::Right, EV_KEY, BTN_RIGHT, 0},
    {InputButton::Side, EV_KEY, BTN_SIDE, 0},
    {InputButton::Extra, EV_KEY, BTN_EXTRA, 0},
    {InputButton::WheelUp, EV_REL, REL_WHEEL, 1},
    {InputButton::WheelDown, EV_REL, REL_WHEEL, -1},
    {InputButton::WheelLeft, EV_REL, REL_HWHEEL, -1},
    {InputButton::WheelRight, EV_REL, REL_HWHEEL, 1},
};

std::string_view type_name(const InputAction &action) {
    static constexpr std::array<std::string_view, std::variant_size_v<InputAction>> kNames{
        "key", "btn", "rel", "abs", "mtt"};
    return kNames[action.index()];
}

template <typename... Callables>
struct Overloaded : Callables... {
    using Callables::operator()...;
};
template <typename... Callables>
Overloaded(Callables...) -> Overloaded<Callables...>;

} // namespace

// --------------------------------------------------------------------------------------- devices

class InputHub::Device final : public devices::Input {
public:
    explicit Device(InputKind kind) : kind_(kind) {}

    [[nodiscard]] InputKind kind() const { return kind_; }

    bool receive(InputReport &report) override {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) return false;
        report = std::move(waiting_.front());
        waiting_.pop_front();
        return true;
    }
    void set_lights(devices::InputLights lights) override {
        const std::lock_guard lock(mutex_);
        lights_ = lights;
    }
    void set_listener(devices::InputListener *listener) override {
        const std::lock_guard lock(listener_mutex_);
        listener_ = listener;
    }

    [[nodiscard]] devices::InputLights lights() const {
        const std::lock_guard lock(mutex_);
        return lights_;
    }
    [[nodiscard]] bool is_full() const {
        const std::lock_guard lock(mutex_);
        return waiting_.size() >= kMaxWaiting;
    }
    void add(InputReport report) {
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(std::move(report));
        }
        const std::lock_guard lock(listener_mutex_);
        if (listener_ != nullptr) listener_->reports_wait();
    }

    /// Appends what the action is for the driver.
    void translate(const InputAction &action, InputReport &report) {
        std::visit(Overloaded{[&](const KeyAction &key) {
                                  report.push_back({EV_KEY, key.code, key.down ? 1u : 0u});
                              },
                              [&](const ButtonAction &button) { press(button, report); },
                              [&](const MoveAction &move) {
                                  report.push_back({EV_REL, axis_code(move.axis, REL_X, REL_Y),
                                                    static_cast<u32>(move.by)});
                              },
                              [&](const PositionAction &place) {
                                  report.push_back({EV_ABS, axis_code(place.axis, ABS_X, ABS_Y),
                                                    place.position});
                              },
                              [&](const TouchAction &finger) { touch(finger, report); }},
                   action);
    }

private:
    static void press(const ButtonAction &action, InputReport &report) {
        const auto *row = std::ranges::find(kButtons, action.button, &ButtonRow::button);
        if (row == std::end(kButtons)) return; // a touch screen says by itself that it is touched
        if (row->type == EV_KEY)
            report.push_back({EV_KEY, row->code, action.down ? 1u : 0u});
        else if (action.down)
            report.push_back({row->type, row->code, static_cast<u32>(row->step)});
    }

    /// Protocol B of Linux's multi-touch-protocol.rst; one of the fingers, mostly the first, moves
    /// the pointer of programs that know no more than one.
    void touch(const TouchAction &finger, InputReport &report) {
        const auto add = [&](u16 type, u16 code, u32 value) {
            report.push_back({type, code, value});
        };
        const bool was_touched = fingers_.any();
        add(EV_ABS, ABS_MT_SLOT, finger.slot);
        switch (finger.kind) {
        case TouchKind::Begin:
        case TouchKind::Update:
            if (!was_touched) pointing_ = finger.slot;
            fingers_.set(finger.slot);
            add(EV_ABS, ABS_MT_TRACKING_ID, finger.tracking_id);
            break;
        case TouchKind::End:
        case TouchKind::Cancel:
            fingers_.reset(finger.slot);
            add(EV_ABS, ABS_MT_TRACKING_ID, ~u32{0});
            break;
        case TouchKind::Data:
            add(EV_ABS, axis_code(finger.axis, ABS_MT_POSITION_X, ABS_MT_POSITION_Y),
                finger.position);
            if (finger.slot == pointing_)
                add(EV_ABS, axis_code(finger.axis, ABS_X, ABS_Y), finger.position);
            break;
        }
        if (fingers_.any() != was_touched) add(EV_KEY, BTN_TOUCH, was_touched ? 0 : 1);
    }

    const InputKind kind_;
    mutable std::mutex mutex_; ///< guards the next two
    std::deque<InputReport> waiting_;
    devices::InputLights lights_ = 0;
    std::mutex listener_mutex_;
    devices::InputListener *listener_ = nullptr;
    // Guarded by the hub's mutex.
    std::bitset<devices::kTouchSlots> fingers_;
    u32 pointing_ = 0;
};

// ------------------------------------------------------------------------------------------- hub

InputHub::InputHub(std::span<const InputKind> kinds) {
    for (const InputKind kind : kinds) devices_.push_back(std::make_unique<Device>(kind));
    pointer_ = find(InputKind::Tablet);
    if (pointer_ == nullptr) pointer_ = find(InputKind::Mouse);
}

InputHub::~InputHub() = default;

devices::Input &InputHub::device(std::size_t n) {
    return *devices_[n];
}

InputHub::Device *InputHub::find(InputKind kind) const {
    const auto found =
        std::ranges::find(devices_, kind, [](const auto &device) { return device->kind(); });
    return found != devices_.end() ? found->get() : nullptr;
}

InputHub::Device *InputHub::device_for(const InputAction &action) const {
    return std::visit(Overloaded{[&](const KeyAction &) { return find(InputKind::Keyboard); },
                                 [&](const ButtonAction &button) {
                                     return button.button == InputButton::Touch
                                                ? find(InputKind::Touch)
                                                : pointer_;
                                 },
                                 [&](const MoveAction &) { return find(InputKind::Mouse); },
                                 [&](const PositionAction &) { return find(InputKind::Tablet); },
                                 [&](const TouchAction &) { return find(InputKind::Touch); }},
                      action);
}

Result<> InputHub::check(const InputAction &action) const {
    const Device *device = device_for(action);
    if (device == nullptr)
        return failure(fmt::format("Input handler not found for event type {}; start the machine "
                                   "with --input",
                                   type_name(action)));
    if (device->is_full())
        return failure(fmt::format("input: the guest takes nothing from its {}; try again when it "
                                   "does",
                                   devices::name_of(device->kind())));
    const auto out_of_range = [](std::string_view what, u32 most) {
        return failure(fmt::format("Parameter '{}' expects a value of 0 to {}", what, most));
    };
    if (const auto *key = std::get_if<KeyAction>(&action); key != nullptr)
        if (!devices::codes_of(devices::profile_of(InputKind::Keyboard), EV_KEY)
                 .test(std::min<std::size_t>(key->code, KEY_CNT - 1)))
            return failure("Parameter 'key' expects a key of a keyboard");
    if (const auto *place = std::get_if<PositionAction>(&action); place != nullptr)
        if (place->position > devices::kInputAxisMax)
            return out_of_range("value", devices::kInputAxisMax);
    if (const auto *finger = std::get_if<TouchAction>(&action); finger != nullptr) {
        if (finger->slot >= devices::kTouchSlots)
            return out_of_range("slot", devices::kTouchSlots - 1);
        if (finger->tracking_id > devices::kMaxTrackingId)
            return out_of_range("tracking-id", devices::kMaxTrackingId);
        if (finger->position > devices::kInputAxisMax)
            return out_of_range("value", devices::kInputAxisMax);
    }
    return {};
}

Result<> InputHub::send(std::span<const InputAction> actions) {
    const std::lock_guard lock(mutex_);
    for (const InputAction &action : actions) TRY(check(action));
    std::vector<Pending> all;
    const auto finish = [](Pending &pending) {
        if (pending.report.empty()) return;
        pending.report.push_back({EV_SYN, SYN_REPORT, 0});
        pending.device->add(std::exchange(pending.report, {}));
    };
    InputReport events;
    for (const InputAction &action : actions) {
        Device *device = device_for(action);
        if (std::holds_alternative<MoveAction>(action) ||
            std::holds_alternative<PositionAction>(action))
            pointer_ = device;
        events.clear();
        device->translate(action, events);
        auto pending = std::ranges::find(all, device, &Pending::device);
        if (pending == all.end()) pending = all.insert(all.end(), {device, {}});
        if (pending->report.size() + events.size() >= devices::kMaxInputReport) finish(*pending);
        pending->report.insert(pending->report.end(), events.begin(), events.end());
    }
    for (Pending &pending : all) finish(pending);
    return {};
}

std::vector<PointerInfo> InputHub::pointers() const {
    const std::lock_guard lock(mutex_);
    std::vector<PointerInfo> list;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        const Device &device = *devices_[i];
        if (device.kind() == InputKind::Keyboard) continue;
        list.push_back({.name = std::string{devices::profile_of(device.kind()).name},
                        .index = static_cast<unsigned>(i),
                        .is_current = &device == pointer_,
                        .is_absolute = device.kind() != InputKind::Mouse});
    }
    return list;
}

devices::InputLights InputHub::lights() const {
    const Device *keyboard = find(InputKind::Keyboard);
    return keyboard != nullptr ? keyboard->lights() : devices::InputLights{0};
}

// ---------------------------------------------------------------------------------------- typing

Result<> InputHub::press_keys(std::vector<u16> codes, u64 hold_ns) {
    {
        const std::lock_guard lock(mutex_);
        for (const u16 code : codes) TRY(check(KeyAction{code, true}));
    }
    {
        const std::lock_guard lock(chords_mutex_);
        if (chords_.size() >= kMaxChords)
            return failure("send-key: too many keys wait to be pressed; wait for some");
        chords_.push_back({std::move(codes), hold_ns});
        if (!typist_.has_value())
            typist_.emplace([this](const std::stop_token &stop) { type(stop); });
    }
    changed_.notify_one();
    return {};
}

void InputHub::type(const std::stop_token &stop) {
    const auto send_key = [this](u16 code, bool down) {
        const InputAction action = KeyAction{code, down};
        // A guest that has stopped to listen misses keys, as with a real keyboard.
        static_cast<void>(send(std::span(&action, 1)));
    };
    std::unique_lock lock(chords_mutex_);
    while (changed_.wait(lock, stop, [this] { return !chords_.empty(); })) {
        const Chord chord = std::move(chords_.front());
        chords_.pop_front();
        lock.unlock();
        for (const u16 code : chord.codes) send_key(code, true);
        lock.lock();
        changed_.wait_for(lock, stop, std::chrono::nanoseconds(chord.hold_ns),
                          [] { return false; });
        lock.unlock();
        for (auto code = chord.codes.rbegin(); code != chord.codes.rend(); ++code)
            send_key(*code, false);
        lock.lock();
    }
}

} // namespace tandem::machine
