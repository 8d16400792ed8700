#pragma once
/// Virtio over PCI, modern devices only (virtio 1.2 §4.1): one function with a virtio device.
#include "devices/pcie/pci_function.h"
#include "devices/virtio/transport/transport_core.h"

namespace tandem::devices {

class VirtioPci final : public PciFunction, private VirtioTransportCore {
public:
    VirtioPci(std::string name, std::unique_ptr<VirtioDevice> device, DmaSpace &);
    ~VirtioPci() override;

    [[nodiscard]] u32 read_config(u32 offset, unsigned size_log2) override;
    void write_config(u32 offset, unsigned size_log2, u32 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void pause() override { pause_device(); }
    void resume() override { resume_device(); }

private:
    static constexpr u16 kNoVector = 0xffff;
    static constexpr u32 kMsixBar = 1, kRegisterBar = 4;

    struct SavedState {
        static constexpr u32 kVersion = 1;
        State function;
        VirtioTransportState transport;
        u16 config_vector = kNoVector;
        std::vector<u16> queue_vectors;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.function, self.transport, self.config_vector, self.queue_vectors);
        }
    };

    void add_capabilities();
    u64 read_own_bar(u32 bar, u64 offset, unsigned size_log2) override;
    void write_own_bar(u32 bar, u64 offset, unsigned size_log2, u64 value) override;
    void bus_master_enabled() override { notify_all(); }

    void raise(u32 cause, u32 queue) override;
    void lower() override;
    bool may_use_memory() const override { return is_bus_master(); }

    [[nodiscard]] u32 read_common(u32 offset, unsigned bytes);
    void write_common(u32 offset, unsigned bytes, u64 value);
    void write_common_field(u32 offset, u32 value, std::unique_lock<std::mutex> &lock);
    [[nodiscard]] u32 read_common_field(u32 offset);
    [[nodiscard]] u16 checked_vector(u32 value) const;
    /// The range that the PCI configuration access capability shows; none if it is no good.
    struct ConfigAccess {
        u32 offset = 0;
        unsigned size_log2 = 0;
    };
    [[nodiscard]] std::optional<ConfigAccess> config_access() const;

    u32 config_access_capability_ = 0;
    u16 config_vector_ = kNoVector;
    std::vector<u16> queue_vectors_;
};

} // namespace tandem::devices
