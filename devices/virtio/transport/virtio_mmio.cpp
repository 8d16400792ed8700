#include "devices/virtio/transport/virtio_mmio.h"

#include "devices/core/fdt_node.h"

#include <algorithm>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/virtio/transport/virtio_mmio_registers.inc"
#include "devices/core/register_table.inc"

constexpr u32 kMagic = 0x74726976;  // "virt"
constexpr u32 kVendor = 0x4d444e54; // "TNDM"
constexpr u32 kVersionModern = 2;

// Virtio 1.2 §6
constexpr u64 kFeatureIndirect = u64{1} << 28;
constexpr u64 kFeatureEventIndex = u64{1} << 29;
constexpr u64 kFeatureVersion1 = u64{1} << 32;

constexpr u64 kLowHalf = 0xffff'ffff;
constexpr u64 kHighHalf = ~kLowHalf;

} // namespace

VirtioMmio::VirtioMmio(std::string name, std::unique_ptr<VirtioDevice> device, DmaSpace &memory,
                       IrqLine irq)
    : name_(std::move(name)), device_(std::move(device)), memory_(memory), irq_(irq) {
    if (device_ == nullptr) return;
    for (u32 index = 0; index < device_->queue_count(); ++index)
        queues_.emplace_back(memory_, device_->queue_max_size(index));
    device_->attach(*this);
}

VirtioMmio::~VirtioMmio() {
    if (device_ == nullptr) return;
    {
        std::unique_lock lock(mutex_);
        quiesce(lock);
    }
    device_.reset(); // while the mutex its back end's calls take still exists
}

u64 VirtioMmio::offered_features() const {
    return device_->features() | kFeatureIndirect | kFeatureEventIndex | kFeatureVersion1;
}

Virtqueue *VirtioMmio::selected_queue() {
    return state_.queue_select < queues_.size() ? &queues_[state_.queue_select] : nullptr;
}

bool VirtioMmio::is_running() const {
    return (state_.status & Status_DRIVER_OK) != 0 &&
           (state_.status & Status_DEVICE_NEEDS_RESET) == 0 && stopping_ == 0;
}

void VirtioMmio::raise(u32 cause) {
    state_.interrupt_status |= cause;
    irq_.set(true);
}

void VirtioMmio::signal_used(u32 index) {
    if (queues_[index].wants_interrupt()) raise(InterruptStatus_UsedBuffer);
}

void VirtioMmio::signal_config_change() {
    ++state_.config_generation;
    if ((state_.status & Status_DRIVER_OK) != 0) raise(InterruptStatus_ConfigChange);
}

void VirtioMmio::fail() {
    // Virtio 1.2 §2.1.2: with DRIVER_OK set, the driver is told by a configuration change.
    state_.status |= Status_DEVICE_NEEDS_RESET;
    if ((state_.status & Status_DRIVER_OK) != 0) raise(InterruptStatus_ConfigChange);
}

bool VirtioMmio::read(u64 offset, unsigned size_log2, u64 &value) {
    if (offset < static_cast<u64>(Register::Config) || device_ == nullptr)
        return WordDevice::read(offset, size_log2, value);
    value = 0;
    const std::scoped_lock lock(mutex_);
    device_->read_config(static_cast<u32>(offset - static_cast<u64>(Register::Config)),
                         std::as_writable_bytes(std::span(&value, 1)).first(1u << size_log2));
    return true;
}

bool VirtioMmio::write(u64 offset, unsigned size_log2, u64 value) {
    if (offset < static_cast<u64>(Register::Config) || device_ == nullptr)
        return WordDevice::write(offset, size_log2, value);
    const std::scoped_lock lock(mutex_);
    device_->write_config(static_cast<u32>(offset - static_cast<u64>(Register::Config)),
                          std::as_bytes(std::span(&value, 1)).first(1u << size_log2));
    return true;
}

u32 VirtioMmio::read_word(u32 offset) {
    const auto reg = static_cast<Register>(offset);
    switch (reg) {
    case Register::MagicValue: return kMagic;
    case Register::Version: return kVersionModern;
    case Register::VendorID: return kVendor;
    case Register::DeviceID: return device_ == nullptr ? 0 : device_->device_id();
    default: break;
    }
    if (device_ == nullptr) return 0;

    const std::scoped_lock lock(mutex_);
    const Virtqueue *queue = selected_queue();
    switch (reg) {
    case Register::DeviceFeatures:
        return state_.device_features_select > 1
                   ? 0
                   : static_cast<u32>(offered_features() >> (state_.device_features_select * 32));
    case Register::QueueNumMax: return queue == nullptr ? 0 : queue->max_size();
    case Register::QueueReady: return queue != nullptr && queue->is_ready() ? 1 : 0;
    case Register::InterruptStatus: return state_.interrupt_status;
    case Register::Status: return state_.status;
    case Register::SHMLenLow:
    case Register::SHMLenHigh:
    case Register::SHMBaseLow:
    case Register::SHMBaseHigh: return ~u32{0};
    case Register::ConfigGeneration: return state_.config_generation;
    default: return 0; // write-only and unassigned ones
    }
}

void VirtioMmio::write_word(u32 offset, u32 value) {
    if (device_ == nullptr) return;
    const auto reg = static_cast<Register>(offset);
    if (reg == Register::QueueNotify) {
        if (value < queues_.size()) device_->notify(value);
        return;
    }

    std::unique_lock lock(mutex_);
    Virtqueue *queue = selected_queue();
    switch (reg) {
    case Register::DeviceFeaturesSel: state_.device_features_select = value; break;
    case Register::DriverFeaturesSel: state_.driver_features_select = value; break;
    case Register::DriverFeatures:
        // Virtio 1.2 §3.1.1: features are settled once FEATURES_OK is set.
        if (state_.driver_features_select <= 1 && (state_.status & Status_FEATURES_OK) == 0) {
            const unsigned low = state_.driver_features_select * 32;
            state_.driver_features = with_bits(state_.driver_features, low + 31, low, value);
        }
        break;
    case Register::QueueSel: state_.queue_select = value; break;
    case Register::QueueNum:
        if (queue != nullptr) queue->set_size(value);
        break;
    case Register::QueueReady: write_queue_ready((value & 1) != 0, lock); break;
    case Register::InterruptACK:
        state_.interrupt_status &= ~value;
        // A pulse if a cause is left that the driver has not seen: the interrupt is edge-triggered.
        irq_.set(false);
        irq_.set(state_.interrupt_status != 0);
        break;
    case Register::Status: write_status(value, lock); break;
    case Register::QueueDescLow:
        if (queue != nullptr) queue->set_descriptors(value, kLowHalf);
        break;
    case Register::QueueDescHigh:
        if (queue != nullptr) queue->set_descriptors(u64{value} << 32, kHighHalf);
        break;
    case Register::QueueDriverLow:
        if (queue != nullptr) queue->set_available(value, kLowHalf);
        break;
    case Register::QueueDriverHigh:
        if (queue != nullptr) queue->set_available(u64{value} << 32, kHighHalf);
        break;
    case Register::QueueDeviceLow:
        if (queue != nullptr) queue->set_used(value, kLowHalf);
        break;
    case Register::QueueDeviceHigh:
        if (queue != nullptr) queue->set_used(u64{value} << 32, kHighHalf);
        break;
    default: break;
    }
}

void VirtioMmio::write_status(u32 value, std::unique_lock<std::mutex> &lock) {
    value &=
        Status_ACKNOWLEDGE | Status_DRIVER | Status_DRIVER_OK | Status_FEATURES_OK | Status_FAILED;
    if (value == 0) {
        reset_locked(lock);
        return;
    }
    const u32 before = state_.status;
    // Virtio 1.2 §2.1.1: bits are only ever added; a reset clears them.
    u32 added = value & ~before;
    if ((added & Status_FEATURES_OK) != 0) {
        // §2.2.2, §6.2: features that were not offered, or a driver without VERSION_1: FEATURES_OK
        // stays 0, and the driver gives up.
        if ((state_.driver_features & ~offered_features()) != 0 ||
            (state_.driver_features & kFeatureVersion1) == 0)
            added &= ~Status_FEATURES_OK;
        else
            device_->set_features(state_.driver_features);
    }
    if (((before | added) & Status_FEATURES_OK) == 0) added &= ~Status_DRIVER_OK;
    state_.status |= added;
    if ((added & Status_DRIVER_OK) != 0) {
        lock.unlock();
        for (u32 index = 0; index < queues_.size(); ++index) device_->notify(index);
    }
}

void VirtioMmio::write_queue_ready(bool ready, std::unique_lock<std::mutex> &lock) {
    if (state_.queue_select >= queues_.size()) return;
    Virtqueue &queue = queues_[state_.queue_select];
    if (ready) {
        if ((state_.status & Status_FEATURES_OK) != 0)
            queue.start((state_.driver_features & kFeatureEventIndex) != 0);
    } else if (queue.is_ready()) {
        // Virtio 1.2 §4.2.2.2: when QueueReady reads as 0 the device uses the queue no more.
        quiesce(lock);
        queue.stop();
    }
}

void VirtioMmio::quiesce(std::unique_lock<std::mutex> &lock) {
    ++stopping_;
    lock.unlock();
    device_->quiesce(); // new requests see stopping_
    lock.lock();
    --stopping_;
}

void VirtioMmio::reset_locked(std::unique_lock<std::mutex> &lock) {
    quiesce(lock);
    for (Virtqueue &queue : queues_) queue.reset();
    device_->reset();
    const u32 generation = state_.config_generation;
    state_ = {};
    state_.config_generation = generation;
    irq_.set(false);
}

void VirtioMmio::reset() {
    if (device_ == nullptr) return;
    std::unique_lock lock(mutex_);
    reset_locked(lock);
}

void VirtioMmio::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    VirtioMmioState state = state_;
    state.device_id = device_ == nullptr ? 0 : device_->device_id();
    for (const Virtqueue &queue : queues_) state.queues.push_back(queue.state());
    save_state(writer, "virtio-mmio", state);
    if (device_ != nullptr) device_->save(writer);
}

Result<> VirtioMmio::restore(StateReader &reader) {
    VirtioMmioState state;
    if (auto result = restore_state(reader, "virtio-mmio", state); !result) return result;
    const std::scoped_lock lock(mutex_);
    const u32 device_id = device_ == nullptr ? 0 : device_->device_id();
    if (state.device_id != device_id || state.queues.size() != queues_.size())
        return failure("snapshot: " + name_ + " has another virtio device or number of queues");
    if (device_ == nullptr) return {};

    const bool features_ok = (state.status & Status_FEATURES_OK) != 0;
    if (features_ok && (state.driver_features & ~offered_features()) != 0)
        return failure("snapshot: " + name_ + " uses features that its device no longer offers");
    const bool event_index = (state.driver_features & kFeatureEventIndex) != 0;
    for (std::size_t index = 0; index < queues_.size(); ++index) {
        if (!queues_[index].resume(state.queues[index], event_index))
            return failure("snapshot: " + name_ + " has a queue of an impossible size");
    }
    state.queues.clear();
    state_ = state;
    device_->reset();
    if (features_ok) device_->set_features(state_.driver_features);
    if (auto result = device_->restore(reader); !result) return result;
    irq_.drive(state_.interrupt_status != 0);
    return {};
}

void VirtioMmio::resume() {
    for (u32 index = 0; index < queues_.size(); ++index) device_->notify(index);
}

void VirtioMmio::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("virtio_mmio", placement.base));
    node.strings("compatible", {"virtio,mmio"});
    fdt_reg(node, placement.base, kSize);
    // Edge, as on every board of this kind; the line falls when the last cause is acknowledged.
    fdt_spi(node, placement.spi, kFdtEdgeRising);
    node.flag("dma-coherent");
}

} // namespace tandem::devices
