#include "machine/accel/jit/jit_cpu_debug.h"

#include <cstring>

namespace tandem::machine {

void JitCpuDebug::read_register(std::size_t number, std::span<std::byte> out) {
    const ir::Vec value = arm::read_register(state_, shared_.registers.registers[number]);
    std::memcpy(out.data(), &value, out.size());
}

Result<> JitCpuDebug::write_register(std::size_t number, std::span<const std::byte> in) {
    ir::Vec value;
    std::memcpy(&value, in.data(), in.size());
    return arm::write_register(state_, shared_.registers.registers[number], value);
}

std::optional<u64> JitCpuDebug::translate(u64 va) {
    u64 physical = 0;
    if (!mmu_.probe(state_, va, physical)) return std::nullopt;
    return physical;
}

StopAnswer JitCpuDebug::tell(const CpuStop &stop) {
    if (shared_.listener == nullptr) return StopAnswer::Untold;
    return shared_.listener->cpu_stopped(state_.index, stop);
}

void JitCpuDebug::stepped() {
    plan_at_start_ = false;
    const bool stays =
        plan_.kind == CpuPlan::Kind::Range && state_.pc >= plan_.first && state_.pc < plan_.end;
    if (!stays) static_cast<void>(tell({}));
}

void JitCpuDebug::stopped_at_breakpoint() {
    for (const DebugPoint &point : shared_.points)
        if (point.is_breakpoint() && point.address == state_.pc) {
            if (tell({CpuStop::Cause::Point, point, state_.pc}) == StopAnswer::Passed)
                told_access_ = {state_.retired, state_.pc};
            return;
        }
}

void JitCpuDebug::stopped_at_watchpoint() {
    const jit::WatchHit hit = jit::Engine::watch_hit(state_);
    if (tell({CpuStop::Cause::Point, shared_.watchpoints[hit.index], hit.address}) !=
        StopAnswer::Untold)
        told_access_ = {state_.retired, state_.pc};
}

} // namespace tandem::machine
