/// What a board lets a debugger see and do, while it is paused.
#include "machine/board/stop_relay.h"

namespace tandem::machine {

void VirtBoard::on_cpu_stop(StopQuestion passes, StopQuestion told) {
    auto relay = std::make_unique<StopRelay>(cpus_, std::move(passes), std::move(told));
    if (AcceleratorDebug *accelerator = debug(); accelerator != nullptr)
        accelerator->set_listener(relay.get());
    stop_relay_ = std::move(relay);
}

void VirtBoard::announce_stop(u32 cpu, const CpuStop &stop) {
    if (stop_relay_ != nullptr) static_cast<void>(stop_relay_->cpu_stopped(cpu, stop));
}

bool VirtBoard::is_cpu_on(u32 cpu) const {
    return cpus_.power_of(cpu) == PowerControl::CpuPower::On;
}

bool VirtBoard::read_device(u64 physical, unsigned size_log2, u64 &value) {
    return map_.read(physical, size_log2, value);
}

} // namespace tandem::machine
