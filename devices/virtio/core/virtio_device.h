#pragma once
/// A virtio device without its transport, and what a transport offers it (virtio 1.2 §2).
///
/// One mutex, the transport's, guards the device and its queues. notify() and quiesce() are called
/// without it, as they meet back ends; everything else with it.
#include "devices/virtio/core/virtqueue.h"

#include <mutex>
#include <string_view>

namespace tandem::devices {

class VirtioTransport {
public:
    virtual ~VirtioTransport() = default;
    [[nodiscard]] virtual std::mutex &mutex() = 0;
    [[nodiscard]] virtual DmaSpace &memory() = 0;
    // The rest with the mutex held.
    [[nodiscard]] virtual Virtqueue &queue(u32 index) = 0;
    /// DRIVER_OK is set and nothing is wrong: queues may be popped.
    [[nodiscard]] virtual bool is_running() const = 0;
    /// Interrupts the driver if it wants to hear of what was pushed.
    virtual void signal_used(u32 queue) = 0;
    virtual void signal_config_change() = 0;
    /// The driver broke the rules: DEVICE_NEEDS_RESET (virtio 1.2 §2.1.1).
    virtual void fail() = 0;
};

class VirtioDevice {
public:
    VirtioDevice() = default;
    VirtioDevice(const VirtioDevice &) = delete;
    VirtioDevice &operator=(const VirtioDevice &) = delete;
    virtual ~VirtioDevice() = default;

    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual u32 device_id() const = 0;
    /// Feature bits of this device type; the transport adds the general ones.
    [[nodiscard]] virtual u64 features() const = 0;
    [[nodiscard]] virtual u32 queue_count() const = 0;
    [[nodiscard]] virtual u16 queue_max_size(u32 queue) const = 0;

    /// Called once, before anything else.
    void attach(VirtioTransport &transport) {
        transport_ = &transport;
        attached();
    }

    /// Device configuration; bytes beyond its end read as zero.
    virtual void read_config(u32 offset, std::span<std::byte>) = 0;
    virtual void write_config(u32 offset, std::span<const std::byte>) = 0;
    /// The driver has accepted these features.
    virtual void set_features(u64 features) = 0;
    /// The driver says there are buffers in the queue; also called for each queue at DRIVER_OK and
    /// after a pause. Only queues below queue_count().
    virtual void notify(u32 queue) = 0;
    /// Returns when no request is under way. is_running() is false meanwhile, so none begins.
    virtual void quiesce() {}
    virtual void reset() = 0;
    virtual void save(StateWriter &) const = 0;
    [[nodiscard]] virtual Result<> restore(StateReader &) = 0;

protected:
    /// The transport is there: the device may start to listen to its back end.
    virtual void attached() {}
    [[nodiscard]] VirtioTransport &transport() const { return *transport_; }

private:
    VirtioTransport *transport_ = nullptr;
};

} // namespace tandem::devices
