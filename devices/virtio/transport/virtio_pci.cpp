#include "devices/virtio/transport/virtio_pci.h"

#include <algorithm>

namespace tandem::devices {

namespace {

enum class Common : u32 {
#define COMMON(name, offset, bytes) name = offset,
#include "devices/virtio/transport/virtio_pci_common.inc"
};
struct CommonField {
    u32 offset;
    unsigned bytes;
};
constexpr CommonField kCommonFields[] = {
#define COMMON(name, offset, bytes) {offset, bytes},
#include "devices/virtio/transport/virtio_pci_common.inc"
};

// Structures in the register BAR, a page each.
constexpr u64 kStructureSize = 0x1000;
constexpr u32 kCommonOffset = 0x0000, kIsrOffset = 0x1000, kDeviceOffset = 0x2000,
              kNotifyOffset = 0x3000;
constexpr u32 kRegisterBarSize = 0x4000;
constexpr u32 kNotifyMultiplier = 4;

// Virtio 1.2 §4.1.4: struct virtio_pci_cap.
constexpr u32 kCapLength = 2, kCapType = 3, kCapBar = 4, kCapOffset = 8, kCapBytes = 12,
              kCapSize = 16;
constexpr u8 kTypeCommon = 1, kTypeNotify = 2, kTypeIsr = 3, kTypeDevice = 4, kTypePciConfig = 5;

constexpr u16 kVirtioVendor = 0x1af4;
constexpr u16 kFirstModernDevice = 0x1040; ///< §4.1.2.1: plus the virtio device ID

constexpr u64 kLowHalf = 0xffff'ffff;
constexpr u64 kHighHalf = ~kLowHalf;

/// §4.1.2 leaves the class to the device; drivers look at the IDs, people and firmware at this.
u32 class_of(u32 device_id) {
    switch (device_id) {
    case 1: return 0x02'00'00;  // network: Ethernet
    case 2: return 0x01'00'00;  // storage: SCSI
    case 3: return 0x07'80'00;  // communication: other
    case 8: return 0x01'00'00;  // storage: SCSI
    case 16: return 0x03'80'00; // display: other
    case 18: return 0x09'80'00; // input: other
    case 26: return 0x01'80'00; // storage: other
    default: return 0x00'ff'00; // unclassified
    }
}

PciIdentity identity_of(const VirtioDevice &device) {
    const u16 id = static_cast<u16>(kFirstModernDevice + device.device_id());
    return {.vendor = kVirtioVendor,
            .device = id,
            .revision = 1,
            .class_code = class_of(device.device_id()),
            .subsystem_vendor = kVirtioVendor,
            .subsystem = 0x1100};
}

} // namespace

VirtioPci::VirtioPci(std::string name, std::unique_ptr<VirtioDevice> device, DmaSpace &memory)
    : PciFunction(std::move(name), identity_of(*device)),
      VirtioTransportCore(std::move(device), memory, mutex_) {
    config_.define(pci::kInterruptPin, 1, 1);
    queue_vectors_.assign(queues_.size(), kNoVector);
    add_msix(std::min(static_cast<u32>(queues_.size()) + 1, Msix::kMaxVectors), kMsixBar);
    add_bar(kRegisterBar, kRegisterBarSize, BarKind::Memory64);
    add_capabilities();
    attach_device();
}

VirtioPci::~VirtioPci() {
    shut_down();
}

void VirtioPci::add_capabilities() {
    const auto add = [this](u8 type, u32 offset, u32 length, u32 extra) {
        const u32 at = config_.add_capability(pci::kCapabilityVendor, kCapSize + extra);
        config_.define(at + kCapLength, 1, kCapSize + extra);
        config_.define(at + kCapType, 1, type);
        config_.define(at + kCapBar, 1, kRegisterBar);
        config_.define(at + kCapOffset, 4, offset);
        config_.define(at + kCapBytes, 4, length);
        return at;
    };
    add(kTypeCommon, kCommonOffset, kStructureSize, 0);
    add(kTypeIsr, kIsrOffset, kStructureSize, 0);
    add(kTypeDevice, kDeviceOffset, kStructureSize, 0);
    const u32 notify = add(kTypeNotify, kNotifyOffset, kStructureSize, 4);
    config_.define(notify + kCapSize, 4, kNotifyMultiplier);
    // §4.1.4.9: a window for drivers that cannot reach the BARs.
    const u32 at = add(kTypePciConfig, 0, 0, 4);
    config_.define(at + kCapBar, 1, 0, 0xff);
    config_.define(at + kCapOffset, 4, 0, ~u32{0});
    config_.define(at + kCapBytes, 4, 0, ~u32{0});
    config_access_capability_ = at;
    add_express();
}

// --------------------------------------------------------------------------- configuration space

std::optional<VirtioPci::ConfigAccess> VirtioPci::config_access() const {
    const std::scoped_lock lock(mutex_);
    const u32 at = config_access_capability_;
    const u32 offset = config_.get(at + kCapOffset, 4);
    const u32 length = config_.get(at + kCapBytes, 4);
    if (config_.get(at + kCapBar, 1) != kRegisterBar || offset >= kRegisterBarSize) return {};
    if ((length != 1 && length != 2 && length != 4) || !is_aligned(offset, length)) return {};
    return ConfigAccess{offset, static_cast<unsigned>(std::countr_zero(length))};
}

u32 VirtioPci::read_config(u32 offset, unsigned size_log2) {
    const u32 window = config_access_capability_ + kCapSize;
    if (offset >= window && offset < window + 4) {
        const auto access = config_access();
        if (!access) return 0;
        const u64 value = read_own_bar(kRegisterBar, access->offset, access->size_log2);
        return static_cast<u32>((value >> ((offset - window) * 8)) & ones(8u << size_log2));
    }
    return PciFunction::read_config(offset, size_log2);
}

void VirtioPci::write_config(u32 offset, unsigned size_log2, u32 value) {
    if (offset == config_access_capability_ + kCapSize) {
        if (const auto access = config_access(); access && access->size_log2 <= size_log2)
            write_own_bar(kRegisterBar, access->offset, access->size_log2,
                          value & ones(8u << access->size_log2));
        return;
    }
    PciFunction::write_config(offset, size_log2, value);
}

// ------------------------------------------------------------------------------------- registers

u64 VirtioPci::read_own_bar(u32, u64 offset, unsigned size_log2) {
    const u32 at = static_cast<u32>(offset % kStructureSize);
    const unsigned bytes = 1u << size_log2;
    u64 value = 0;
    const std::scoped_lock lock(mutex_);
    switch (static_cast<u32>(offset - at)) {
    case kCommonOffset:
        for (unsigned done = 0; done < bytes; done += 4)
            value |= u64{read_common(at + done, std::min(bytes, 4u))} << (done * 8);
        break;
    case kIsrOffset:
        // §4.1.4.5: reading it takes the interrupt back.
        if (at == 0) {
            value = std::exchange(state_.interrupt_status, 0);
            set_intx(false);
        }
        break;
    case kDeviceOffset:
        device_->read_config(at, std::as_writable_bytes(std::span(&value, 1)).first(bytes));
        break;
    default: break; // notifications are write-only
    }
    return value;
}

void VirtioPci::write_own_bar(u32, u64 offset, unsigned size_log2, u64 value) {
    const u32 at = static_cast<u32>(offset % kStructureSize);
    const unsigned bytes = 1u << size_log2;
    switch (static_cast<u32>(offset - at)) {
    case kCommonOffset: write_common(at, bytes, value); break;
    case kDeviceOffset: {
        const std::scoped_lock lock(mutex_);
        device_->write_config(at, std::as_bytes(std::span(&value, 1)).first(bytes));
        break;
    }
    case kNotifyOffset: notify(at / kNotifyMultiplier); break;
    default: break;
    }
}

u32 VirtioPci::read_common(u32 offset, unsigned bytes) {
    u32 value = 0;
    for (const CommonField &field : kCommonFields) {
        if (field.offset >= offset + bytes || field.offset + field.bytes <= offset) continue;
        const u32 read = read_common_field(field.offset);
        value |= field.offset >= offset ? read << ((field.offset - offset) * 8)
                                        : read >> ((offset - field.offset) * 8);
    }
    return static_cast<u32>(value & ones(bytes * 8));
}

u32 VirtioPci::read_common_field(u32 offset) {
    const Virtqueue *queue = selected_queue();
    switch (static_cast<Common>(offset)) {
    case Common::DeviceFeatureSelect: return state_.device_features_select;
    case Common::DeviceFeature: return device_features();
    case Common::DriverFeatureSelect: return state_.driver_features_select;
    case Common::DriverFeature:
        return state_.driver_features_select > 1
                   ? 0
                   : static_cast<u32>(state_.driver_features >>
                                      (state_.driver_features_select * 32));
    case Common::ConfigMsixVector: return config_vector_;
    case Common::NumQueues: return static_cast<u32>(queues_.size());
    case Common::DeviceStatus: return state_.status;
    case Common::ConfigGeneration: return state_.config_generation & 0xff;
    case Common::QueueSelect: return state_.queue_select;
    default: break;
    }
    if (queue == nullptr) return 0; // §4.1.4.3: a size of 0 says there is no such queue
    const VirtqueueState &state = queue->state();
    switch (static_cast<Common>(offset)) {
    // §4.1.5.1.3: the size is the largest possible until the driver sets another.
    case Common::QueueSize: return state.size == 0 ? queue->max_size() : state.size;
    case Common::QueueMsixVector: return queue_vectors_[state_.queue_select];
    case Common::QueueEnable: return queue->is_ready() ? 1 : 0;
    case Common::QueueNotifyOff: return state_.queue_select;
    case Common::QueueDescLow: return static_cast<u32>(state.descriptors);
    case Common::QueueDescHigh: return static_cast<u32>(state.descriptors >> 32);
    case Common::QueueDriverLow: return static_cast<u32>(state.available);
    case Common::QueueDriverHigh: return static_cast<u32>(state.available >> 32);
    case Common::QueueDeviceLow: return static_cast<u32>(state.used);
    case Common::QueueDeviceHigh: return static_cast<u32>(state.used >> 32);
    default: return 0;
    }
}

void VirtioPci::write_common(u32 offset, unsigned bytes, u64 value) {
    // §4.1.3.1: drivers access each field with its own width, 64-bit ones also by halves. A wider
    // access writes every field that it covers as a whole.
    std::unique_lock lock(mutex_);
    for (const CommonField &field : kCommonFields) {
        if (field.offset < offset || field.offset + field.bytes > offset + bytes) continue;
        const u64 part = (value >> ((field.offset - offset) * 8)) & ones(field.bytes * 8);
        write_common_field(field.offset, static_cast<u32>(part), lock);
        if (!lock.owns_lock()) lock.lock();
    }
}

void VirtioPci::write_common_field(u32 offset, u32 value, std::unique_lock<std::mutex> &lock) {
    Virtqueue *queue = selected_queue();
    switch (static_cast<Common>(offset)) {
    case Common::DeviceFeatureSelect: state_.device_features_select = value; return;
    case Common::DriverFeatureSelect: state_.driver_features_select = value; return;
    case Common::DriverFeature: write_driver_features(value); return;
    case Common::ConfigMsixVector: config_vector_ = checked_vector(value); return;
    case Common::DeviceStatus: write_status(value, lock); return;
    case Common::QueueSelect: state_.queue_select = value; return;
    default: break;
    }
    if (queue == nullptr) return;
    switch (static_cast<Common>(offset)) {
    case Common::QueueSize: queue->set_size(value); break;
    case Common::QueueMsixVector:
        queue_vectors_[state_.queue_select] = checked_vector(value);
        break;
    case Common::QueueEnable:
        // §4.1.4.3.2: the driver must not write 0; a reset disables queues.
        if (value == 1) {
            if (queue->state().size == 0) queue->set_size(queue->max_size());
            write_queue_ready(true, lock);
        }
        break;
    case Common::QueueDescLow: queue->set_descriptors(value, kLowHalf); break;
    case Common::QueueDescHigh: queue->set_descriptors(u64{value} << 32, kHighHalf); break;
    case Common::QueueDriverLow: queue->set_available(value, kLowHalf); break;
    case Common::QueueDriverHigh: queue->set_available(u64{value} << 32, kHighHalf); break;
    case Common::QueueDeviceLow: queue->set_used(value, kLowHalf); break;
    case Common::QueueDeviceHigh: queue->set_used(u64{value} << 32, kHighHalf); break;
    default: break;
    }
}

u16 VirtioPci::checked_vector(u32 value) const {
    // §4.1.5.1.2: a vector that cannot be mapped reads back as none.
    return value < vectors() ? static_cast<u16>(value) : kNoVector;
}

// ------------------------------------------------------------------------------------ interrupts

void VirtioPci::raise(u32 cause, u32 queue) {
    if (uses_msix()) {
        const u16 vector = cause == kUsedBuffer ? queue_vectors_[queue] : config_vector_;
        if (vector != kNoVector) signal_vector(vector);
        return;
    }
    state_.interrupt_status |= cause;
    set_intx(true);
}

void VirtioPci::lower() {
    set_intx(false);
    // §4.1.5.1.2: a reset unmaps all vectors.
    config_vector_ = kNoVector;
    std::ranges::fill(queue_vectors_, kNoVector);
}

// ----------------------------------------------------------------------------------------- state

void VirtioPci::reset() {
    {
        std::unique_lock lock(mutex_);
        reset_transport(lock);
        reset_function();
    }
    mapping_changed();
}

void VirtioPci::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, "virtio-pci",
               SavedState{saved_function(), saved_transport(), config_vector_, queue_vectors_});
    device_->save(writer);
}

Result<> VirtioPci::restore(StateReader &reader) {
    SavedState state;
    if (auto result = restore_state(reader, "virtio-pci", state); !result) return result;
    {
        const std::scoped_lock lock(mutex_);
        if (state.queue_vectors.size() != queue_vectors_.size())
            return failure("snapshot: " + name() + " has another number of queues");
        if (auto result = restore_function(state.function); !result) return result;
        if (auto result = restore_transport(std::move(state.transport), name(), reader); !result)
            return result;
        config_vector_ = checked_vector(state.config_vector);
        for (std::size_t i = 0; i < queue_vectors_.size(); ++i)
            queue_vectors_[i] = checked_vector(state.queue_vectors[i]);
        set_intx(state_.interrupt_status != 0);
    }
    mapping_changed();
    return {};
}

} // namespace tandem::devices
