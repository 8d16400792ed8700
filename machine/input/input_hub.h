#pragma once
/// Takes what people and programs do to the devices it is for. Any thread.
#include "devices/backend/input.h"
#include "devices/virtio/input/input_kinds.h"
#include "machine/input/input_action.h"
#include "support/result.h"

#include <bitset>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace tandem::machine {

struct PointerInfo {
    std::string name;
    unsigned index = 0; ///< among all input devices
    bool is_current = false;
    bool is_absolute = false;
};

class InputHub {
public:
    static constexpr u64 kDefaultHoldNs = 100'000'000;
    static constexpr u64 kMaxHoldNs = 60'000'000'000;

    explicit InputHub(std::span<const devices::InputKind>);
    ~InputHub();
    InputHub(const InputHub &) = delete;
    InputHub &operator=(const InputHub &) = delete;

    /// The back end of the n-th device.
    [[nodiscard]] devices::Input &device(std::size_t n);
    [[nodiscard]] std::size_t size() const { return devices_.size(); }

    /// All at once, to the first device of the kind that each is for. Nothing happens if one is for
    /// none, or out of range.
    [[nodiscard]] Result<> send(std::span<const InputAction>);
    /// Presses the keys one after the other, holds them, and lets them go in reverse; a thread
    /// does, after those of earlier calls.
    [[nodiscard]] Result<> press_keys(std::vector<u16> codes, u64 hold_ns);
    [[nodiscard]] std::vector<PointerInfo> pointers() const;
    /// Of the first keyboard.
    [[nodiscard]] devices::InputLights lights() const;

private:
    class Device;
    struct Chord {
        std::vector<u16> codes;
        u64 hold_ns = 0;
    };
    /// A device and what is about to happen there.
    struct Pending {
        Device *device = nullptr;
        devices::InputReport report;
    };

    [[nodiscard]] Device *find(devices::InputKind) const;
    [[nodiscard]] Device *device_for(const InputAction &) const;
    [[nodiscard]] Result<> check(const InputAction &) const;
    void type(const std::stop_token &);

    std::vector<std::unique_ptr<Device>> devices_;
    mutable std::mutex mutex_;  ///< guards what follows; before those of the devices
    Device *pointer_ = nullptr; ///< the mouse or tablet that moved last
    std::mutex chords_mutex_;
    std::condition_variable_any changed_;
    std::deque<Chord> chords_;
    std::optional<std::jthread> typist_; ///< once there is something for it
};

} // namespace tandem::machine
