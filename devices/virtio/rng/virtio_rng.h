#pragma once
/// Virtio entropy device (virtio 1.2 §5.4).
#include "devices/backend/entropy.h"
#include "devices/virtio/core/virtio_device.h"

namespace tandem::devices {

class VirtioRng final : public VirtioDevice {
public:
    explicit VirtioRng(Entropy &backend) : backend_(backend) {}

    [[nodiscard]] std::string_view name() const override { return "virtio-rng"; }
    [[nodiscard]] u32 device_id() const override { return 4; }
    [[nodiscard]] u64 features() const override { return 0; }
    [[nodiscard]] u32 queue_count() const override { return 1; }
    [[nodiscard]] u16 queue_max_size(u32) const override { return 64; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32, std::span<const std::byte>) override {}
    void set_features(u64) override {}
    void notify(u32 queue) override;
    void reset() override {}
    void save(StateWriter &) const override {}
    [[nodiscard]] Result<> restore(StateReader &) override { return {}; }

private:
    Entropy &backend_;
    DescriptorChain chain_;
};

} // namespace tandem::devices
