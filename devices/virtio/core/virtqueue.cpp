#include "devices/virtio/core/virtqueue.h"

#include <algorithm>
#include <bit>

namespace tandem::devices {

namespace {

constexpr u16 kFlagNext = 1;
constexpr u16 kFlagWrite = 2;
constexpr u16 kFlagIndirect = 4;
constexpr u16 kAvailableNoInterrupt = 1;

constexpr u32 kDescriptorSize = 16;
// Available ring: flags, idx, ring[size], used_event. Used ring: flags, idx, {id, len}[size],
// avail_event. Virtio 1.2 §2.7.6, §2.7.8.
constexpr u32 kFlagsOffset = 0;
constexpr u32 kIndexOffset = 2;
constexpr u32 kRingOffset = 4;
constexpr u32 kUsedElementSize = 8;

/// Longest chain taken, however large an indirect table claims to be.
constexpr std::size_t kMaxChainLength = 1024;
/// Virtio 1.2 §2.7.5: a chain's total length must not exceed 2^32 bytes.
constexpr u64 kMaxChainBytes = u64{1} << 32;

} // namespace

// ------------------------------------------------------------------------------ DescriptorChain

void DescriptorChain::clear() {
    spans_.clear();
    writable_addresses_.clear();
    readable_spans_ = 0;
    readable_bytes_ = writable_bytes_ = 0;
}

bool DescriptorChain::read(u64 offset, std::span<std::byte> target) const {
    if (offset > readable_bytes_ || target.size() > readable_bytes_ - offset) return false;
    for (const std::span<std::byte> span : readable()) {
        if (target.empty()) break;
        if (offset >= span.size()) {
            offset -= span.size();
            continue;
        }
        const std::size_t count = std::min<u64>(target.size(), span.size() - offset);
        std::memcpy(target.data(), span.data() + offset, count);
        target = target.subspan(count);
        offset = 0;
    }
    return true;
}

bool DescriptorChain::write(u64 offset, std::span<const std::byte> source) const {
    if (offset > writable_bytes_ || source.size() > writable_bytes_ - offset) return false;
    for (const std::span<std::byte> span : writable()) {
        if (source.empty()) break;
        if (offset >= span.size()) {
            offset -= span.size();
            continue;
        }
        const std::size_t count = std::min<u64>(source.size(), span.size() - offset);
        std::memcpy(span.data() + offset, source.data(), count);
        source = source.subspan(count);
        offset = 0;
    }
    return true;
}

void DescriptorChain::report_written(DmaSpace &memory, u64 length) const {
    const auto spans = writable();
    for (std::size_t i = 0; i < spans.size() && length != 0; ++i) {
        const u64 count = std::min<u64>(length, spans[i].size());
        memory.written(writable_addresses_[i], count);
        length -= count;
    }
}

void DescriptorChain::discard_writable(DmaSpace &memory) const {
    const auto spans = writable();
    for (std::size_t i = 0; i < spans.size(); ++i)
        memory.discard(writable_addresses_[i], spans[i].size());
}

// ------------------------------------------------------------------------------------ Virtqueue

std::atomic_ref<u16> Virtqueue::field(std::byte *ring, u32 offset) const {
    return std::atomic_ref<u16>(*reinterpret_cast<u16 *>(ring + offset));
}

void Virtqueue::reset() {
    stop();
    state_ = {};
}

void Virtqueue::set_size(u32 size) {
    // Virtio 1.2 §2.7: a power of two. Anything else is the driver's fault and leaves the old size.
    if (!state_.ready && size <= max_size_ && std::has_single_bit(size))
        state_.size = static_cast<u16>(size);
}

void Virtqueue::set_descriptors(u64 address, u64 mask) {
    if (!state_.ready) state_.descriptors = (state_.descriptors & ~mask) | (address & mask);
}
void Virtqueue::set_available(u64 address, u64 mask) {
    if (!state_.ready) state_.available = (state_.available & ~mask) | (address & mask);
}
void Virtqueue::set_used(u64 address, u64 mask) {
    if (!state_.ready) state_.used = (state_.used & ~mask) | (address & mask);
}

void Virtqueue::map_rings() {
    descriptors_ = available_ = used_ = nullptr;
    // Virtio 1.2 §2.7: the areas are aligned to 16, 2 and 4 bytes. Atomic accesses need that too.
    if (!is_aligned(state_.descriptors, 16) || !is_aligned(state_.available, 2) ||
        !is_aligned(state_.used, 4))
        return;
    const u64 size = state_.size;
    std::byte *descriptors =
        memory_.map(GuestPhysAddr(state_.descriptors), size * kDescriptorSize, DmaAccess::Read);
    std::byte *available =
        memory_.map(GuestPhysAddr(state_.available), kRingOffset + size * 2 + 2, DmaAccess::Read);
    std::byte *used = memory_.map(GuestPhysAddr(state_.used),
                                  kRingOffset + size * kUsedElementSize + 2, DmaAccess::Write);
    if (descriptors == nullptr || available == nullptr || used == nullptr) return;
    descriptors_ = descriptors;
    available_ = available;
    used_ = used;
}

void Virtqueue::start(bool event_index) {
    if (state_.ready || state_.size == 0) return;
    state_.ready = true;
    state_.next_available = state_.next_used = state_.signalled_used = 0;
    event_index_ = event_index;
    ++epoch_;
    map_rings();
}

void Virtqueue::stop() {
    state_.ready = false;
    descriptors_ = available_ = used_ = nullptr;
}

bool Virtqueue::resume(const VirtqueueState &state, bool event_index) {
    if (state.size > max_size_ || (state.size != 0 && !std::has_single_bit(state.size)) ||
        (state.ready && state.size == 0))
        return false;
    stop();
    state_ = state;
    event_index_ = event_index;
    ++epoch_;
    if (state_.ready) map_rings();
    return true;
}

u16 Virtqueue::count_available() {
    // Acquire pairs with the driver's barrier before it publishes idx (virtio 1.2 §2.7.13.3).
    u16 published = field(available_, kIndexOffset).load(std::memory_order_acquire);
    if (published == state_.next_available && event_index_) {
        // Ask to be notified of the next chain, then look again: it may have come in between.
        const u32 event_offset = kRingOffset + state_.size * kUsedElementSize;
        field(used_, event_offset).store(state_.next_available, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        memory_.written(GuestPhysAddr(state_.used + event_offset), 2);
        published = field(available_, kIndexOffset).load(std::memory_order_acquire);
    }
    return static_cast<u16>(published - state_.next_available);
}

Virtqueue::Pop Virtqueue::pop(DescriptorChain &chain) {
    if (!state_.ready) return Pop::Empty;
    if (available_ == nullptr) return Pop::Broken;
    const u16 waiting = count_available();
    if (waiting == 0) return Pop::Empty;
    if (waiting > state_.size) return Pop::Broken;

    const u32 slot = state_.next_available & (state_.size - 1u);
    const u16 head = field(available_, kRingOffset + slot * 2).load(std::memory_order_relaxed);
    if (head >= state_.size) return Pop::Broken;

    chain.clear();
    chain.head = head;
    chain.epoch = epoch_;
    Descriptor first;
    std::memcpy(&first, descriptors_ + std::size_t{head} * kDescriptorSize, sizeof(first));
    if (!collect(chain, first)) return Pop::Broken;
    ++state_.next_available;
    return Pop::Chain;
}

bool Virtqueue::collect(DescriptorChain &chain, Descriptor descriptor) {
    const std::byte *table = descriptors_;
    u32 table_size = state_.size;
    u32 visited = 0;
    for (;;) {
        if ((descriptor.flags & kFlagIndirect) != 0) {
            // Virtio 1.2 §2.7.5.3: no table within a table, no NEXT beside INDIRECT, a whole number
            // of descriptors. WRITE is ignored.
            if (table != descriptors_ || (descriptor.flags & kFlagNext) != 0 ||
                descriptor.length == 0 || descriptor.length % kDescriptorSize != 0)
                return false;
            table =
                memory_.map(GuestPhysAddr(descriptor.address), descriptor.length, DmaAccess::Read);
            if (table == nullptr) return false;
            table_size = descriptor.length / kDescriptorSize;
            visited = 0;
            std::memcpy(&descriptor, table, sizeof(descriptor));
            if ((descriptor.flags & kFlagIndirect) != 0) return false;
        }
        if (!add(chain, descriptor)) return false;
        if ((descriptor.flags & kFlagNext) == 0) return true;
        // A chain that visits more descriptors than its table has is a loop.
        if (++visited >= table_size || descriptor.next >= table_size) return false;
        std::memcpy(&descriptor, table + std::size_t{descriptor.next} * kDescriptorSize,
                    sizeof(descriptor));
    }
}

bool Virtqueue::add(DescriptorChain &chain, const Descriptor &descriptor) {
    const bool writable = (descriptor.flags & kFlagWrite) != 0;
    // Virtio 1.2 §2.7.4.2: device-readable descriptors come first.
    if (!writable && chain.spans_.size() != chain.readable_spans_) return false;
    if (chain.spans_.size() >= kMaxChainLength) return false;
    if (descriptor.length == 0) return true;
    if (chain.readable_bytes_ + chain.writable_bytes_ + descriptor.length > kMaxChainBytes)
        return false;
    std::byte *host = memory_.map(GuestPhysAddr(descriptor.address), descriptor.length,
                                  writable ? DmaAccess::Write : DmaAccess::Read);
    if (host == nullptr) return false;
    chain.spans_.emplace_back(host, descriptor.length);
    if (writable) {
        chain.writable_addresses_.emplace_back(descriptor.address);
        chain.writable_bytes_ += descriptor.length;
    } else {
        ++chain.readable_spans_;
        chain.readable_bytes_ += descriptor.length;
    }
    return true;
}

void Virtqueue::push(const DescriptorChain &chain, u32 written) {
    if (!state_.ready || used_ == nullptr || chain.epoch != epoch_) return;
    const u32 slot = state_.next_used & (state_.size - 1u);
    const u32 offset = kRingOffset + slot * kUsedElementSize;
    const u32 element[2] = {chain.head, written};
    std::memcpy(used_ + offset, element, sizeof(element));
    memory_.written(GuestPhysAddr(state_.used + offset), sizeof(element));
    ++state_.next_used;
    // Release: the driver that sees idx sees the element and the data (virtio 1.2 §2.7.8.2).
    field(used_, kIndexOffset).store(state_.next_used, std::memory_order_release);
    memory_.written(GuestPhysAddr(state_.used + kIndexOffset), 2);
}

bool Virtqueue::wants_interrupt() {
    if (!state_.ready || available_ == nullptr) return false;
    const u16 before = state_.signalled_used;
    if (before == state_.next_used) return false;
    state_.signalled_used = state_.next_used;
    // The driver writes used_event (or its flag), a barrier, then reads idx; we the other way
    // round.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!event_index_)
        return (field(available_, kFlagsOffset).load(std::memory_order_relaxed) &
                kAvailableNoInterrupt) == 0;
    const u16 event =
        field(available_, kRingOffset + state_.size * 2u).load(std::memory_order_relaxed);
    // Virtio 1.2 §2.7.10: whether idx moved past used_event.
    return static_cast<u16>(state_.next_used - event - 1) <
           static_cast<u16>(state_.next_used - before);
}

} // namespace tandem::devices
