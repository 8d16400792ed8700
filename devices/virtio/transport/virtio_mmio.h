#pragma once
/// Virtio over MMIO, version 2 (virtio 1.2 §4.2): one slot of the board, with a device or empty.
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"
#include "devices/virtio/transport/transport_core.h"

namespace tandem::devices {

class VirtioMmio final : public WordDevice, private VirtioTransportCore {
public:
    static constexpr u64 kSize = 0x200;

    /// `device` may be null: an empty slot (DeviceID 0), to which the driver pays no attention.
    VirtioMmio(std::string name, std::unique_ptr<VirtioDevice> device, DmaSpace &, IrqLine);
    ~VirtioMmio() override;

    /// Offset of QueueNotify, for who rings in place of the driver.
    static constexpr u32 kQueueNotify = 0x050;
    [[nodiscard]] u32 queue_count() const { return static_cast<u32>(queues_.size()); }

    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] u64 size() const override { return kSize; }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;
    void pause() override { pause_device(); }
    void resume() override { resume_device(); }

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;

    void raise(u32 cause, u32 queue) override;
    void lower() override;

    std::string name_;
    mutable std::mutex mutex_;
    IrqLine irq_;
};

} // namespace tandem::devices
