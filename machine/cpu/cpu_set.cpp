#include "machine/cpu/cpu_set.h"

#include "support/check.h"

#include <sched.h>
#include <sys/prctl.h>

namespace tandem::machine {
namespace {

thread_local u32 current_cpu = 0;

} // namespace

CpuSet::CpuSet(std::vector<u64> affinities) {
    for (const u64 affinity : affinities) {
        auto &cpu = *cpus_.emplace_back(std::make_unique<Vcpu>());
        cpu.affinity = affinity;
    }
}

CpuSet::~CpuSet() = default;

void CpuSet::attach(Accelerator &accelerator) {
    for (u32 i = 0; i < cpus_.size(); ++i) cpus_[i]->cpu = accelerator.create_cpu(i);
}

StopReason CpuSet::run(const CpuStart &start) {
    cpus_[0]->start = start;
    cpus_[0]->power = CpuPower::OnPending;
    for (u32 i = 0; i < cpus_.size(); ++i)
        cpus_[i]->thread = std::thread([this, i] { run_cpu(i); });
    for (const auto &cpu : cpus_) cpu->thread.join();
    return reason_;
}

void CpuSet::stop(StopReason reason) {
    StopReason expected = StopReason::None;
    {
        const std::lock_guard lock(mutex_);
        if (!reason_.compare_exchange_strong(expected, reason)) return;
    }
    changed_.notify_all();
    for (const auto &cpu : cpus_)
        if (cpu->cpu != nullptr) cpu->cpu->leave();
}

void CpuSet::detach() {
    for (const auto &cpu : cpus_) cpu->cpu.reset();
}

void CpuSet::run_cpu(u32 index) {
    current_cpu = index;
    // Sleeps end at guest timer deadlines; the default slack of 50 us would make each late.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    Vcpu &cpu = *cpus_[index];
    for (;;) {
        CpuStart start;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] {
                return reason_ != StopReason::None || cpu.power == CpuPower::OnPending;
            });
            if (reason_ != StopReason::None) return;
            start = cpu.start;
            cpu.power = CpuPower::On;
        }
        cpu.cpu->start(start);
        while (cpu.power == CpuPower::On && reason_ == StopReason::None) cpu.cpu->run();
    }
}

std::optional<u32> CpuSet::find_cpu(u64 mpidr) const {
    for (u32 i = 0; i < cpus_.size(); ++i)
        if (cpus_[i]->affinity == mpidr) return i;
    return std::nullopt;
}

PowerControl::CpuPower CpuSet::power_of(u32 cpu) const {
    return cpus_[cpu]->power;
}

bool CpuSet::power_on(u32 cpu, u64 entry, u64 context) {
    {
        const std::lock_guard lock(mutex_);
        CpuPower expected = CpuPower::Off;
        if (!cpus_[cpu]->power.compare_exchange_strong(expected, CpuPower::OnPending)) return false;
        cpus_[cpu]->start = {entry, {context, 0, 0, 0}};
    }
    changed_.notify_all();
    return true;
}

void CpuSet::power_off(u32 cpu) {
    cpus_[cpu]->power = CpuPower::Off;
}

void CpuSet::set_interrupt_lines(u32 cpu, bool irq, bool fiq) {
    cpus_[cpu]->cpu->set_interrupt_lines(irq, fiq);
}

u32 CpuSet::current() const {
    return current_cpu;
}

void CpuSet::send_event() {
    for (const auto &cpu : cpus_) cpu->cpu->signal_event();
}

void CpuSet::yield() {
    ::sched_yield();
}

} // namespace tandem::machine
