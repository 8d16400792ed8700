#pragma once
/// Virtio input device (virtio 1.2 §5.8): a keyboard, a mouse, a tablet or a touch screen.
#include "devices/backend/input.h"
#include "devices/virtio/core/virtio_device.h"
#include "devices/virtio/input/input_kinds.h"

#include <string>

namespace tandem::devices {

class VirtioInput final : public VirtioDevice, private InputListener {
public:
    static constexpr u32 kEventQueue = 0, kStatusQueue = 1;

    /// The serial number tells devices of one kind apart; at most 128 bytes of it are shown.
    VirtioInput(Input &backend, InputKind kind, std::string serial)
        : backend_(backend), profile_(profile_of(kind)), serial_(std::move(serial)) {}
    ~VirtioInput() override { backend_.set_listener(nullptr); }

    [[nodiscard]] std::string_view name() const override { return "virtio-input"; }
    [[nodiscard]] u32 device_id() const override { return 18; }
    [[nodiscard]] u64 features() const override { return 0; }
    [[nodiscard]] u32 queue_count() const override { return 2; }
    [[nodiscard]] u16 queue_max_size(u32) const override { return 64; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32 offset, std::span<const std::byte>) override;
    void set_features(u64) override {}
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    struct State {
        static constexpr u32 kVersion = 1;
        u8 select = 0, subselect = 0;
        bool has_driver = false; ///< else what happens is nobody's business
        InputLights lights = 0;
        std::vector<InputEvent> waiting; ///< of a report that the driver has a part of

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.select, self.subselect, self.has_driver, self.lights, self.waiting);
        }
    };

    void attached() override { backend_.set_listener(this); }
    void reports_wait() override;
    /// Passes on what happens, as far as the driver has buffers.
    void send_events();
    void take_status();
    void set_lights(InputLights);
    /// What the driver has selected; its size.
    [[nodiscard]] u8 fill_value(std::span<u8, virtio_input::kMaxValue>) const;

    Input &backend_;
    const InputProfile &profile_;
    const std::string serial_;
    State state_;
    InputReport report_;
    DescriptorChain chain_;
};

} // namespace tandem::devices
