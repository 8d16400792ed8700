#include "machine/replay/gate.h"

#include "machine/host/monotonic.h"

#include <algorithm>
#include <chrono>

namespace tandem::machine::replay {

PortId Gate::add(GatePort &port) {
    ports_.push_back(&port);
    return static_cast<PortId>(ports_.size() - 1);
}

void Gate::arrived() {
    has_arrived_ = true;
    if (alarm_) alarm_();
    wake();
}

void Gate::wake() {
    {
        const std::lock_guard lock(mutex_);
        is_woken_ = true;
    }
    changed_.notify_one();
}

void Gate::admit() {
    const u64 now = clock_.now_ns();
    if (now == last_admission_ || !has_arrived_.exchange(false)) return;
    last_admission_ = now;
    for (GatePort *port : ports_) port->admit();
}

u64 Gate::wait(u64 ns) {
    if (!is_paced_ && ns != kNever) return ns;
    const u64 began = monotonic_ns();
    std::unique_lock lock(mutex_);
    const auto is_over = [this] { return std::exchange(is_woken_, false); };
    if (ns == kNever)
        changed_.wait(lock, is_over);
    else
        changed_.wait_for(lock, std::chrono::nanoseconds(std::min(ns, u64{1} << 60)), is_over);
    return std::clamp<u64>(monotonic_ns() - began, 1, ns);
}

void Gate::sent(PortId port, std::span<const std::byte> bytes) {
    // In pieces of any size: only the bytes and their order count.
    for (const std::byte byte : bytes)
        outputs_ =
            (outputs_ ^ static_cast<u64>(byte) ^ static_cast<u64>(port) << 8) * 0x9e3779b97f4a7c15;
}

} // namespace tandem::machine::replay
