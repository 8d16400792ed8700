#include "devices/virtio/transport/transport_core.h"

namespace tandem::devices {

using namespace virtio_status;

namespace {

// Virtio 1.2 §6
constexpr u64 kFeatureIndirect = u64{1} << 28;
constexpr u64 kFeatureEventIndex = u64{1} << 29;
constexpr u64 kFeatureVersion1 = u64{1} << 32;

} // namespace

VirtioTransportCore::VirtioTransportCore(std::unique_ptr<VirtioDevice> device, DmaSpace &memory,
                                         std::mutex &mutex)
    : device_(std::move(device)), memory_(memory), transport_mutex_(mutex) {
    if (device_ == nullptr) return;
    for (u32 index = 0; index < device_->queue_count(); ++index)
        queues_.emplace_back(memory_, device_->queue_max_size(index));
}

void VirtioTransportCore::attach_device() {
    if (device_ != nullptr) device_->attach(*this);
}

void VirtioTransportCore::shut_down() {
    if (device_ == nullptr) return;
    {
        std::unique_lock lock(transport_mutex_);
        quiesce(lock);
    }
    device_.reset(); // while the mutex its back end's calls take still exists
}

u64 VirtioTransportCore::offered_features() const {
    return device_->features() | kFeatureIndirect | kFeatureEventIndex | kFeatureVersion1;
}

u32 VirtioTransportCore::device_features() const {
    return state_.device_features_select > 1
               ? 0
               : static_cast<u32>(offered_features() >> (state_.device_features_select * 32));
}

void VirtioTransportCore::write_driver_features(u32 value) {
    // Virtio 1.2 §3.1.1: features are settled once FEATURES_OK is set.
    if (state_.driver_features_select > 1 || (state_.status & kFeaturesOk) != 0) return;
    const unsigned low = state_.driver_features_select * 32;
    state_.driver_features = with_bits(state_.driver_features, low + 31, low, value);
}

Virtqueue *VirtioTransportCore::selected_queue() {
    return state_.queue_select < queues_.size() ? &queues_[state_.queue_select] : nullptr;
}

bool VirtioTransportCore::is_running() const {
    return (state_.status & kDriverOk) != 0 && (state_.status & kNeedsReset) == 0 &&
           stopping_ == 0 && may_use_memory();
}

void VirtioTransportCore::signal_used(u32 index) {
    if (queues_[index].wants_interrupt()) raise(kUsedBuffer, index);
}

void VirtioTransportCore::signal_config_change() {
    ++state_.config_generation;
    if ((state_.status & kDriverOk) != 0) raise(kConfigChange, 0);
}

void VirtioTransportCore::fail() {
    // Virtio 1.2 §2.1.2: with DRIVER_OK set, the driver is told by a configuration change.
    state_.status |= kNeedsReset;
    if ((state_.status & kDriverOk) != 0) raise(kConfigChange, 0);
}

void VirtioTransportCore::notify(u32 queue) {
    if (queue < queues_.size()) device_->notify(queue);
}

void VirtioTransportCore::notify_all() {
    for (u32 index = 0; index < queues_.size(); ++index) device_->notify(index);
}

void VirtioTransportCore::write_status(u32 value, std::unique_lock<std::mutex> &lock) {
    value &= kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed;
    if (value == 0) {
        reset_transport(lock);
        return;
    }
    const u32 before = state_.status;
    // Virtio 1.2 §2.1.1: bits are only ever added; a reset clears them.
    u32 added = value & ~before;
    if ((added & kFeaturesOk) != 0) {
        // §2.2.2, §6.2: features that were not offered, or a driver without VERSION_1: FEATURES_OK
        // stays 0, and the driver gives up.
        if ((state_.driver_features & ~offered_features()) != 0 ||
            (state_.driver_features & kFeatureVersion1) == 0)
            added &= ~kFeaturesOk;
        else
            device_->set_features(state_.driver_features);
    }
    if (((before | added) & kFeaturesOk) == 0) added &= ~kDriverOk;
    state_.status |= added;
    if ((added & kDriverOk) != 0) {
        lock.unlock();
        notify_all();
    }
}

void VirtioTransportCore::write_queue_ready(bool ready, std::unique_lock<std::mutex> &lock) {
    if (state_.queue_select >= queues_.size()) return;
    Virtqueue &queue = queues_[state_.queue_select];
    if (ready) {
        if ((state_.status & kFeaturesOk) != 0)
            queue.start((state_.driver_features & kFeatureEventIndex) != 0);
    } else if (queue.is_ready()) {
        // Virtio 1.2 §4.2.2.2: when QueueReady reads as 0 the device uses the queue no more.
        quiesce(lock);
        queue.stop();
    }
}

void VirtioTransportCore::quiesce(std::unique_lock<std::mutex> &lock) {
    ++stopping_;
    lock.unlock();
    device_->quiesce(); // new requests see stopping_
    lock.lock();
    --stopping_;
}

void VirtioTransportCore::pause_device() {
    if (device_ == nullptr) return;
    {
        const std::scoped_lock lock(transport_mutex_);
        ++stopping_;
    }
    device_->quiesce();
}

void VirtioTransportCore::resume_device() {
    if (device_ == nullptr) return;
    {
        const std::scoped_lock lock(transport_mutex_);
        --stopping_;
    }
    notify_all();
}

void VirtioTransportCore::reset_transport(std::unique_lock<std::mutex> &lock) {
    quiesce(lock);
    for (Virtqueue &queue : queues_) queue.reset();
    device_->reset();
    const u32 generation = state_.config_generation;
    state_ = {};
    state_.config_generation = generation;
    lower();
}

VirtioTransportState VirtioTransportCore::saved_transport() const {
    VirtioTransportState state = state_;
    state.device_id = device_ == nullptr ? 0 : device_->device_id();
    for (const Virtqueue &queue : queues_) state.queues.push_back(queue.state());
    return state;
}

Result<> VirtioTransportCore::restore_transport(VirtioTransportState state, const std::string &name,
                                                StateReader &reader) {
    const u32 device_id = device_ == nullptr ? 0 : device_->device_id();
    if (state.device_id != device_id || state.queues.size() != queues_.size())
        return failure("snapshot: " + name + " has another virtio device or number of queues");
    if (device_ == nullptr) return {};

    const bool features_ok = (state.status & kFeaturesOk) != 0;
    if (features_ok && (state.driver_features & ~offered_features()) != 0)
        return failure("snapshot: " + name + " uses features that its device no longer offers");
    const bool event_index = (state.driver_features & kFeatureEventIndex) != 0;
    for (std::size_t index = 0; index < queues_.size(); ++index) {
        if (!queues_[index].resume(state.queues[index], event_index))
            return failure("snapshot: " + name + " has a queue of an impossible size");
    }
    state.queues.clear();
    state_ = std::move(state);
    device_->reset();
    if (features_ok) device_->set_features(state_.driver_features);
    return device_->restore(reader);
}

} // namespace tandem::devices
