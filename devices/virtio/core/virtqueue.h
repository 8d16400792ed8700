#pragma once
/// The device's side of one split virtqueue (virtio 1.2 §2.7), with indirect descriptors and event
/// indices. Nothing in the rings is trusted: what breaks the rules makes the queue Broken, never
/// more. Guarded by the transport's mutex.
#include "devices/core/dma_space.h"
#include "devices/core/state.h"

#include <atomic>
#include <vector>

namespace tandem::devices {

/// A buffer the driver offers, found and mapped. Its spans are guest memory: they may change under
/// the reader. Devices reuse chains, so that steady state allocates nothing.
class DescriptorChain {
public:
    u16 head = 0;
    u32 epoch = 0; ///< of the queue when it was popped

    /// Device-readable spans, then device-writable ones.
    [[nodiscard]] std::span<const std::span<std::byte>> readable() const {
        return std::span(spans_).first(readable_spans_);
    }
    [[nodiscard]] std::span<const std::span<std::byte>> writable() const {
        return std::span(spans_).subspan(readable_spans_);
    }
    [[nodiscard]] u64 readable_bytes() const { return readable_bytes_; }
    [[nodiscard]] u64 writable_bytes() const { return writable_bytes_; }

    /// Copies from byte `offset` of the readable part; false if it is too short.
    [[nodiscard]] bool read(u64 offset, std::span<std::byte> target) const;
    /// Copies to byte `offset` of the writable part; false if it is too short.
    [[nodiscard]] bool write(u64 offset, std::span<const std::byte> source) const;
    template <typename T>
    [[nodiscard]] bool read_object(u64 offset, T &object) const {
        return read(offset, std::as_writable_bytes(std::span(&object, 1)));
    }
    /// Tells memory that the first `length` bytes of the writable part were written.
    void report_written(DmaSpace &, u64 length) const;
    /// Has memory discard the writable part.
    void discard_writable(DmaSpace &) const;

private:
    friend class Virtqueue;
    void clear();

    std::vector<std::span<std::byte>> spans_;
    std::vector<GuestPhysAddr> writable_addresses_;
    std::size_t readable_spans_ = 0;
    u64 readable_bytes_ = 0;
    u64 writable_bytes_ = 0;
};

struct VirtqueueState {
    u16 size = 0;
    bool ready = false;
    u64 descriptors = 0, available = 0, used = 0; ///< guest physical addresses of the three areas
    u16 next_available = 0;                       ///< of the available ring, free-running
    u16 next_used = 0;                            ///< of the used ring, free-running
    u16 signalled_used = 0;                       ///< next_used when the driver was last considered

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.size, self.ready, self.descriptors, self.available, self.used,
                self.next_available, self.next_used, self.signalled_used);
    }
};

class Virtqueue {
public:
    static constexpr u16 kMaxSize = 1024;

    enum class Pop : u8 { Empty, Chain, Broken };

    Virtqueue(DmaSpace &memory, u16 max_size) : memory_(memory), max_size_(max_size) {}

    [[nodiscard]] u16 max_size() const { return max_size_; }
    [[nodiscard]] bool is_ready() const { return state_.ready; }
    [[nodiscard]] const VirtqueueState &state() const { return state_; }

    void reset();
    /// Configuration by the transport; ignored while the queue is ready.
    void set_size(u32 size);
    void set_descriptors(u64 address, u64 mask);
    void set_available(u64 address, u64 mask);
    void set_used(u64 address, u64 mask);
    /// Starts with fresh indices. If the areas are not good memory the first pop() says Broken.
    void start(bool event_index);
    void stop();
    /// Takes over a saved state; false if it cannot be one.
    [[nodiscard]] bool resume(const VirtqueueState &, bool event_index);

    /// Takes the next available chain. Empty also asks the driver to notify of the next one.
    [[nodiscard]] Pop pop(DescriptorChain &);
    /// Undoes the pop() just done: the chain is available again.
    void undo_pop() { --state_.next_available; }
    /// Returns a chain with this many bytes written to it. A chain of an earlier life of the queue
    /// is dropped. Call chain.report_written() before.
    void push(const DescriptorChain &, u32 written);
    /// After push(): whether the driver wants an interrupt for what was pushed since the last call.
    [[nodiscard]] bool wants_interrupt();

private:
    struct Descriptor {
        u64 address = 0;
        u32 length = 0;
        u16 flags = 0;
        u16 next = 0;
    };

    void map_rings();
    /// Available chains not popped yet; more than `size` is nonsense.
    [[nodiscard]] u16 count_available();
    [[nodiscard]] bool collect(DescriptorChain &, Descriptor);
    [[nodiscard]] bool add(DescriptorChain &, const Descriptor &);
    [[nodiscard]] std::atomic_ref<u16> field(std::byte *ring, u32 offset) const;

    DmaSpace &memory_;
    u16 max_size_;
    VirtqueueState state_;
    bool event_index_ = false;
    u32 epoch_ = 0; ///< counts starts
    // The areas in host memory; null unless ready and good.
    std::byte *descriptors_ = nullptr;
    std::byte *available_ = nullptr;
    std::byte *used_ = nullptr;
};

} // namespace tandem::devices
