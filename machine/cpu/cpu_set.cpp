#include "machine/cpu/cpu_set.h"

#include "support/check.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace tandem::machine {
namespace {

thread_local u32 current_cpu = 0;

struct PowerState {
    static constexpr u32 kVersion = 1;
    PowerControl::CpuPower power = PowerControl::CpuPower::Off;
    CpuStart start;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.power, self.start.entry, self.start.arguments);
    }
};

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
    return run();
}

StopReason CpuSet::run() {
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

void CpuSet::pause() {
    {
        const std::lock_guard lock(mutex_);
        pausing_ = true;
    }
    for (const auto &cpu : cpus_) cpu->cpu->leave();
    std::unique_lock lock(mutex_);
    stood_still_.wait(lock, [this] { return executing_ == 0; });
}

void CpuSet::resume() {
    {
        const std::lock_guard lock(mutex_);
        pausing_ = false;
    }
    changed_.notify_all();
}

void CpuSet::save(devices::StateWriter &writer) const {
    for (const auto &cpu : cpus_) {
        devices::save_state(writer, "power", PowerState{cpu->power, cpu->start});
        cpu->cpu->save(writer);
    }
}

Result<> CpuSet::restore(devices::StateReader &reader) {
    for (const auto &cpu : cpus_) {
        PowerState state;
        TRY(devices::restore_state(reader, "power", state));
        if (state.power > CpuPower::OnPending)
            return failure("snapshot: a CPU's power state is damaged");
        cpu->power = state.power;
        cpu->start = state.start;
        TRY(cpu->cpu->restore(reader));
    }
    return {};
}

void CpuSet::detach() {
    for (const auto &cpu : cpus_) cpu->cpu.reset();
}

void CpuSet::run_cpu(u32 index) {
    current_cpu = index;
    // Sleeps end at guest timer deadlines; the default slack of 50 us would make each late.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    Vcpu &cpu = *cpus_[index];
    cpu.thread_id = ::gettid();
    for (;;) {
        CpuStart start;
        bool starts = false; // else it goes on
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] {
                return reason_ != StopReason::None || (cpu.power != CpuPower::Off && !pausing_);
            });
            if (reason_ != StopReason::None) return;
            starts = cpu.power == CpuPower::OnPending;
            start = cpu.start;
            cpu.power = CpuPower::On;
            ++executing_;
        }
        if (starts) cpu.cpu->start(start);
        while (cpu.power == CpuPower::On && reason_ == StopReason::None && !pausing_)
            cpu.cpu->run();
        const std::lock_guard lock(mutex_);
        if (--executing_ == 0) stood_still_.notify_all();
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
