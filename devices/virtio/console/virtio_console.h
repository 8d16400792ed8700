#pragma once
/// Virtio console with one port (virtio 1.2 §5.3) over a Char back end.
#include "devices/backend/char.h"
#include "devices/virtio/core/virtio_device.h"

namespace tandem::devices {

struct VirtioConsoleState {
    static constexpr u32 kVersion = 1;

    /// Output the back end had not taken; it goes first.
    std::vector<u8> unsent;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.unsent);
    }
};

class VirtioConsole final : public VirtioDevice, private CharListener {
public:
    static constexpr u32 kReceiveQueue = 0;
    static constexpr u32 kTransmitQueue = 1;

    explicit VirtioConsole(Char &backend) : backend_(backend) {}
    ~VirtioConsole() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-console"; }
    [[nodiscard]] u32 device_id() const override { return 3; }
    [[nodiscard]] u64 features() const override;
    [[nodiscard]] u32 queue_count() const override { return 2; }
    [[nodiscard]] u16 queue_max_size(u32) const override { return 128; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32 offset, std::span<const std::byte>) override;
    void set_features(u64) override {}
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    void attached() override { backend_.set_listener(this); }
    void readable() override;
    void writable() override;
    void receive();
    void transmit();
    /// Sends what waits in `unsent`; false if the back end is full.
    [[nodiscard]] bool send_unsent();

    Char &backend_;
    VirtioConsoleState state_;
    DescriptorChain chain_;
};

} // namespace tandem::devices
