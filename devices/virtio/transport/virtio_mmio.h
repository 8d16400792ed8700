#pragma once
/// Virtio over MMIO, version 2 (virtio 1.2 §4.2): one slot of the board, with a device or empty.
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"
#include "devices/virtio/core/virtio_device.h"

#include <memory>
#include <string>
#include <vector>

namespace tandem::devices {

struct VirtioMmioState {
    static constexpr u32 kVersion = 1;

    u32 device_id = 0;
    u32 device_features_select = 0, driver_features_select = 0, queue_select = 0;
    u64 driver_features = 0;
    u32 status = 0;
    u32 interrupt_status = 0;
    u32 config_generation = 0;
    std::vector<VirtqueueState> queues;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.device_id, self.device_features_select, self.driver_features_select,
                self.queue_select, self.driver_features, self.status, self.interrupt_status,
                self.config_generation, self.queues);
    }
};

class VirtioMmio final : public WordDevice, private VirtioTransport {
public:
    static constexpr u64 kSize = 0x200;

    /// `device` may be null: an empty slot (DeviceID 0), to which the driver pays no attention.
    VirtioMmio(std::string name, std::unique_ptr<VirtioDevice> device, DmaSpace &, IrqLine);
    ~VirtioMmio() override;

    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] u64 size() const override { return kSize; }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;
    /// After restore(), when guest memory is restored too: looks at the queues once.
    void resume();

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;

    [[nodiscard]] std::mutex &mutex() override { return mutex_; }
    [[nodiscard]] DmaSpace &memory() override { return memory_; }
    [[nodiscard]] Virtqueue &queue(u32 index) override { return queues_[index]; }
    [[nodiscard]] bool is_running() const override;
    void signal_used(u32 queue) override;
    void signal_config_change() override;
    void fail() override;

    [[nodiscard]] u64 offered_features() const;
    [[nodiscard]] Virtqueue *selected_queue();
    void write_status(u32 value, std::unique_lock<std::mutex> &lock);
    void write_queue_ready(bool ready, std::unique_lock<std::mutex> &lock);
    void quiesce(std::unique_lock<std::mutex> &lock);
    void reset_locked(std::unique_lock<std::mutex> &lock);
    void raise(u32 cause);

    std::string name_;
    std::unique_ptr<VirtioDevice> device_;
    DmaSpace &memory_;
    mutable std::mutex mutex_;
    IrqLine irq_;
    VirtioMmioState state_; ///< but for `queues`, which live in queues_
    std::vector<Virtqueue> queues_;
    u32 stopping_ = 0; ///< threads inside quiesce()
};

} // namespace tandem::devices
