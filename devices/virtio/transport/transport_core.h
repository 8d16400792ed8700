#pragma once
/// What every virtio transport has: features, device status, queues (virtio 1.2 §2.1, §2.2, §3.1).
/// How the driver reaches these, and how it is interrupted, is the derived transport's.
#include "devices/virtio/core/virtio_device.h"

#include <memory>
#include <string>
#include <vector>

namespace tandem::devices {

namespace virtio_status {
inline constexpr u32 kAcknowledge = 1 << 0, kDriver = 1 << 1, kDriverOk = 1 << 2,
                     kFeaturesOk = 1 << 3, kNeedsReset = 1 << 6, kFailed = 1 << 7;
}

struct VirtioTransportState {
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

class VirtioTransportCore : protected VirtioTransport {
protected:
    static constexpr u32 kUsedBuffer = 1 << 0; ///< bits of the interrupt status
    static constexpr u32 kConfigChange = 1 << 1;

    /// `device` may be null: there is nothing behind the transport. The mutex guards the transport
    /// and its device; the derived class attaches the device when it is complete, and shuts down in
    /// its destructor.
    VirtioTransportCore(std::unique_ptr<VirtioDevice> device, DmaSpace &memory, std::mutex &mutex);
    void attach_device();
    void shut_down();

    [[nodiscard]] std::mutex &mutex() final { return transport_mutex_; }
    [[nodiscard]] DmaSpace &memory() final { return memory_; }
    [[nodiscard]] Virtqueue &queue(u32 index) final { return queues_[index]; }
    [[nodiscard]] bool is_running() const final;
    void signal_used(u32 queue) final;
    void signal_config_change() final;
    void fail() final;

    // The driver's view; the mutex is held, by `lock` where that is a parameter.
    [[nodiscard]] u32 device_features() const;
    void write_driver_features(u32 value);
    [[nodiscard]] u64 offered_features() const;
    [[nodiscard]] Virtqueue *selected_queue();
    /// Without the mutex: meets the device's back end.
    void notify(u32 queue);
    void notify_all();
    void write_status(u32 value, std::unique_lock<std::mutex> &lock);
    void write_queue_ready(bool ready, std::unique_lock<std::mutex> &lock);
    void reset_transport(std::unique_lock<std::mutex> &lock);

    /// Without the mutex. Between the two, is_running() is false and no request is under way.
    void pause_device();
    void resume_device();

    [[nodiscard]] VirtioTransportState saved_transport() const;
    /// Takes over the state and reads the device's, which follows it.
    [[nodiscard]] Result<> restore_transport(VirtioTransportState state, const std::string &name,
                                             StateReader &);

    /// Tells the driver of a cause, for kUsedBuffer of the queue; the mutex is held.
    virtual void raise(u32 cause, u32 queue) = 0;
    /// A reset took all causes back; the mutex is held.
    virtual void lower() = 0;
    /// Whether the device may use guest memory.
    [[nodiscard]] virtual bool may_use_memory() const { return true; }

    std::unique_ptr<VirtioDevice> device_;
    DmaSpace &memory_;
    VirtioTransportState state_; ///< but for `queues`, which live in queues_
    std::vector<Virtqueue> queues_;

private:
    void quiesce(std::unique_lock<std::mutex> &lock);

    std::mutex &transport_mutex_;
    u32 stopping_ = 0; ///< threads inside quiesce(), and whether the device is paused
};

} // namespace tandem::devices
