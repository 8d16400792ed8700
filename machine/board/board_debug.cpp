/// What a board lets a debugger see and do, while it is paused.
#include "machine/board/stop_relay.h"

#include <algorithm>
#include <cstring>

namespace tandem::machine {

void Board::on_cpu_stop(StopQuestion passes, StopQuestion told) {
    auto relay = std::make_unique<StopRelay>(cpus_, std::move(passes), std::move(told));
    if (AcceleratorDebug *accelerator = debug(); accelerator != nullptr)
        accelerator->set_listener(relay.get());
    stop_relay_ = std::move(relay);
}

void Board::announce_stop(u32 cpu, const CpuStop &stop) {
    if (stop_relay_ != nullptr) static_cast<void>(stop_relay_->cpu_stopped(cpu, stop));
}

bool Board::is_cpu_on(u32 cpu) const {
    return cpus_.power_of(cpu) == PowerControl::CpuPower::On;
}

std::size_t Board::read_memory(u64 physical, std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const u64 at = physical + done;
        bool writable = false;
        const std::byte *page = map_.page(at & ~u64{0xfff}, writable);
        if (page == nullptr) break;
        const std::size_t length = std::min<std::size_t>(out.size() - done, 4096 - (at & 0xfff));
        std::memcpy(out.data() + done, page + (at & 0xfff), length);
        done += length;
    }
    return done;
}

std::size_t Board::write_memory(u64 physical, std::span<const std::byte> in) {
    std::size_t done = 0;
    while (done < in.size()) {
        const u64 at = physical + done;
        const std::size_t length = std::min<std::size_t>(in.size() - done, 4096 - (at & 0xfff));
        if (!map_.write(GuestPhysAddr{at}, in.subspan(done, length))) break;
        done += length;
    }
    return done;
}

bool Board::read_device(u64 physical, unsigned size_log2, u64 &value) {
    return map_.read(physical, size_log2, value);
}

} // namespace tandem::machine
