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

constexpr u64 kLowHalf = 0xffff'ffff;
constexpr u64 kHighHalf = ~kLowHalf;

} // namespace

VirtioMmio::VirtioMmio(std::string name, std::unique_ptr<VirtioDevice> device, DmaSpace &memory,
                       IrqLine irq)
    : VirtioTransportCore(std::move(device), memory, mutex_), name_(std::move(name)), irq_(irq) {
    attach_device();
}

VirtioMmio::~VirtioMmio() {
    shut_down();
}

void VirtioMmio::raise(u32 cause, u32) {
    state_.interrupt_status |= cause;
    irq_.set(true);
}

void VirtioMmio::lower() {
    irq_.set(false);
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
    case Register::DeviceFeatures: return device_features();
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
        notify(value);
        return;
    }

    std::unique_lock lock(mutex_);
    Virtqueue *queue = selected_queue();
    switch (reg) {
    case Register::DeviceFeaturesSel: state_.device_features_select = value; break;
    case Register::DriverFeaturesSel: state_.driver_features_select = value; break;
    case Register::DriverFeatures: write_driver_features(value); break;
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

void VirtioMmio::reset() {
    if (device_ == nullptr) return;
    std::unique_lock lock(mutex_);
    reset_transport(lock);
}

void VirtioMmio::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, "virtio-mmio", saved_transport());
    if (device_ != nullptr) device_->save(writer);
}

Result<> VirtioMmio::restore(StateReader &reader) {
    VirtioTransportState state;
    if (auto result = restore_state(reader, "virtio-mmio", state); !result) return result;
    const std::scoped_lock lock(mutex_);
    if (auto result = restore_transport(std::move(state), name_, reader); !result) return result;
    irq_.drive(state_.interrupt_status != 0);
    return {};
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
