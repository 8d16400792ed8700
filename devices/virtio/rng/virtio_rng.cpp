#include "devices/virtio/rng/virtio_rng.h"

#include <algorithm>

namespace tandem::devices {

namespace {
/// Of one buffer; a driver that wants more offers it again.
constexpr u64 kMaxBytes = 4096;
} // namespace

void VirtioRng::read_config(u32, std::span<std::byte> target) {
    std::ranges::fill(target, std::byte{0});
}

void VirtioRng::notify(u32 index) {
    const std::scoped_lock lock(transport().mutex());
    if (!transport().is_running()) return;
    Virtqueue &queue = transport().queue(index);
    std::array<std::byte, kMaxBytes> bytes;
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        const u64 count = std::min(chain_.writable_bytes(), kMaxBytes);
        // Not straight into guest memory: what a replay logs must be what the guest got.
        const auto filled = std::span(bytes).first(count);
        backend_.fill(filled);
        static_cast<void>(chain_.write(0, filled));
        chain_.report_written(transport().memory(), count);
        queue.push(chain_, static_cast<u32>(count));
    }
    transport().signal_used(index);
}

} // namespace tandem::devices
