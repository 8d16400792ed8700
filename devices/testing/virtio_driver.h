#pragma once
/// A small driver for tests: brings a virtio-mmio slot up and runs its queues in fake memory.
#include "devices/testing/fakes.h"
#include "devices/virtio/transport/virtio_mmio.h"

#include <vector>

namespace tandem::devices::testing {

class VirtioDriver {
public:
    static constexpr u16 kQueueSize = 8;
    static constexpr u64 kData = 0x8000; ///< where tests put buffers

    struct Piece {
        u64 address = 0;
        u32 length = 0;
        bool writable = false;
    };

    VirtioDriver(MmioDevice &slot, FakeMemory &memory) : slot_(slot), memory_(memory) {}

    void write(u64 offset, u64 value, unsigned size_log2 = 2) {
        static_cast<void>(slot_.write(offset, size_log2, value));
    }
    [[nodiscard]] u64 read(u64 offset, unsigned size_log2 = 2) {
        u64 value = 0;
        static_cast<void>(slot_.read(offset, size_log2, value));
        return value;
    }
    [[nodiscard]] u64 offered_features() {
        write(0x014, 0);
        u64 features = read(0x010);
        write(0x014, 1);
        return features | read(0x010) << 32;
    }
    /// Accepts these of the offered features, or all.
    void negotiate(u64 features) {
        write(0x070, 0);
        write(0x070, 3);
        write(0x024, 0);
        write(0x020, features & 0xffffffff);
        write(0x024, 1);
        write(0x020, features >> 32);
        write(0x070, 0xb);
    }
    /// With empty rings.
    void start_queue(u32 queue) {
        memory_.put(base(queue) + 0x402, u16{0});
        memory_.put(base(queue) + 0x802, u16{0});
        write(0x030, queue);
        write(0x038, kQueueSize);
        write(0x080, base(queue));
        write(0x084, 0);
        write(0x090, base(queue) + 0x400);
        write(0x094, 0);
        write(0x0a0, base(queue) + 0x800);
        write(0x0a4, 0);
        write(0x044, 1);
    }
    void start(u32 queues, u64 features) {
        negotiate(features);
        for (u32 queue = 0; queue < queues; ++queue) start_queue(queue);
        write(0x070, 0xf);
    }
    void start(u32 queues) { start(queues, offered_features()); }

    [[nodiscard]] static u64 base(u32 queue) { return 0x1000 * (queue + 1); }
    void descriptor(u64 table, u16 index, u64 address, u32 length, u16 flags, u16 next) {
        memory_.put(table + index * 16, address);
        memory_.put(table + index * 16 + 8, length);
        memory_.put(table + index * 16 + 12, flags);
        memory_.put(table + index * 16 + 14, next);
    }
    /// Writes a chain into the table from descriptor `head` on.
    void chain(u64 table, u16 head, const std::vector<Piece> &pieces) {
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const bool last = i + 1 == pieces.size();
            descriptor(table, static_cast<u16>(head + i), pieces[i].address, pieces[i].length,
                       static_cast<u16>((last ? 0 : 1) | (pieces[i].writable ? 2 : 0)),
                       static_cast<u16>(last ? 0 : head + i + 1));
        }
    }
    /// Makes a chain available, without notifying.
    void offer(u32 queue, u16 head) {
        const u64 available = base(queue) + 0x400;
        const u16 index = memory_.get<u16>(available + 2);
        memory_.put(available + 4 + (index % kQueueSize) * 2, head);
        memory_.put(available + 2, static_cast<u16>(index + 1));
    }
    void notify(u32 queue) { write(0x050, queue); }
    void send(u32 queue, u16 head, const std::vector<Piece> &pieces) {
        chain(base(queue), head, pieces);
        offer(queue, head);
        notify(queue);
    }
    [[nodiscard]] u16 used_index(u32 queue) { return memory_.get<u16>(base(queue) + 0x802); }
    struct Used {
        u32 head = 0, written = 0;
    };
    /// The n-th used element, counted from the start of the queue.
    [[nodiscard]] Used used(u32 queue, u16 n) {
        return memory_.get<Used>(base(queue) + 0x804 + (n % kQueueSize) * 8);
    }
    void set_used_event(u32 queue, u16 event) {
        memory_.put(base(queue) + 0x400 + 4 + kQueueSize * 2, event);
    }
    [[nodiscard]] u16 available_event(u32 queue) {
        return memory_.get<u16>(base(queue) + 0x800 + 4 + kQueueSize * 8);
    }
    [[nodiscard]] bool needs_reset() { return (read(0x070) & 0x40) != 0; }

private:
    MmioDevice &slot_;
    FakeMemory &memory_;
};

} // namespace tandem::devices::testing
