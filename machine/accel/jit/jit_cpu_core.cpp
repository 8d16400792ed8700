#include "machine/accel/jit/jit_cpu_core.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/state/saved_cpu.h"
#include "frontend-arm/timer/generic_timer.h"
#include "machine/board/memory_map.h"

#include <algorithm>

namespace tandem::machine {

JitCpuCore::JitCpuCore(jit::Engine &engine, arm::Mmu &mmu, const arm::CpuModel &model,
                       const JitWiring &wiring, u32 index, arm::TimerPort &timer, arm::PmuPort &pmu)
    : interrupts_(*wiring.interrupts), engine_(engine), affinity_(wiring.affinities[index]) {
    environment_.gic = wiring.interrupts->cpu_interface(index);
    environment_.timer = &timer;
    environment_.firmware = wiring.firmware;
    environment_.semihosting = wiring.semihosting;
    environment_.events = wiring.events;
    environment_.entropy = wiring.entropy;
    environment_.pmu = &pmu;
    environment_.tlb = &engine.tlb_control();
    environment_.mmu = &mmu;
    environment_.bus = wiring.memory;
    state.model = &model;
    state.environment = &environment_;
    state.index = index;
    this->timer(arm::TimerChannel::Physical).intid = ppi_intid(kPhysTimerPpi);
    this->timer(arm::TimerChannel::Virtual).intid = ppi_intid(kVirtTimerPpi);
    engine_.attach(state);
    arm::reset(state, affinity_); // a CPU that is never started has a state to save, too
}

JitCpuCore::~JitCpuCore() {
    engine_.detach(state);
}

void JitCpuCore::start(const CpuStart &start) {
    arm::reset(state, affinity_);
    environment_.tlb->translation_changed(state);
    arm::update_timers(state);
    state.pc = start.entry;
    std::ranges::copy(start.arguments, state.gpr.begin());
}

void JitCpuCore::save(devices::StateWriter &writer) const {
    devices::save_state(writer, "cpu", arm::save_cpu(state));
}

Result<> JitCpuCore::restore(devices::StateReader &reader) {
    arm::SavedCpu saved;
    TRY(devices::restore_state(reader, "cpu", saved));
    arm::reset(state, affinity_);
    TRY(arm::restore_cpu(state, saved));
    // The wires as they are now, whatever the interrupt controller remembers of them.
    arm::update_timers(state);
    for (const Timer &each : timers_) interrupts_.set_ppi(state.index, each.intid, each.level);
    arm::pmu_poll(state);
    return {};
}

bool JitCpuCore::set_interrupt_lines(bool irq, bool fiq) {
    const u32 lines = (irq ? arm::kLineIrq : 0) | (fiq ? arm::kLineFiq : 0);
    const u32 before = state.interrupt_lines.exchange(lines);
    return (lines & ~before) != 0;
}

void JitCpuCore::drive(Timer &timer, u64 now) {
    const bool level = now >= timer.rises_at && timer.rises_at != kNever;
    if (level == timer.level) return;
    timer.level = level;
    interrupts_.set_ppi(state.index, timer.intid, level);
}

void JitCpuCore::drive_timers(u64 now) {
    for (Timer &each : timers_) drive(each, now);
}

u64 JitCpuCore::next_rise() const {
    u64 next = kNever;
    for (const Timer &each : timers_)
        if (!each.level) next = std::min(next, each.rises_at);
    return next;
}

void JitCpuCore::set_pmu_line(bool high) {
    interrupts_.set_ppi(state.index, ppi_intid(kPmuPpi), high);
}

} // namespace tandem::machine
