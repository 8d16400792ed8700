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

CpuSet::CpuSet(std::vector<u64> affinities, CpuSequencer *sequencer) : sequencer_(sequencer) {
    for (const u64 affinity : affinities) {
        auto &cpu = *cpus_.emplace_back(std::make_unique<Vcpu>());
        cpu.affinity = affinity;
    }
}

CpuSet::~CpuSet() = default;

void CpuSet::attach(Accelerator &accelerator) {
    const auto keep = [](auto cpu, Vcpu &vcpu, auto *&as) {
        as = cpu.get();
        vcpu.cpu = std::move(cpu);
    };
    for (u32 i = 0; i < cpus_.size(); ++i) {
        Vcpu &vcpu = *cpus_[i];
        if (sequencer_ != nullptr)
            keep(accelerator.create_counted_cpu(i), vcpu, vcpu.counted);
        else
            keep(accelerator.create_cpu(i), vcpu, vcpu.threaded);
    }
}

void CpuSet::start(const CpuStart &start) {
    cpus_[0]->cpu->start(start);
    cpus_[0]->power = CpuPower::On;
}

StopReason CpuSet::run() {
    if (sequencer_ != nullptr) {
        run_in_turns();
        return reason_;
    }
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
    call_back();
}

void CpuSet::call_back() {
    for (const auto &cpu : cpus_)
        if (cpu->cpu != nullptr) cpu->cpu->leave();
    if (sequencer_ != nullptr) sequencer_->wake();
}

void CpuSet::pause() {
    {
        const std::lock_guard lock(mutex_);
        ++pauses_;
    }
    call_back();
    std::unique_lock lock(mutex_);
    stood_still_.wait(lock, [this] { return executing_ == 0; });
}

void CpuSet::resume() {
    {
        const std::lock_guard lock(mutex_);
        --pauses_;
    }
    changed_.notify_all();
}

void CpuSet::hold() {
    {
        const std::lock_guard lock(mutex_);
        held_ = true;
    }
    call_back();
}

void CpuSet::end_hold() {
    {
        const std::lock_guard lock(mutex_);
        held_ = false;
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

void CpuSet::save_progress(devices::StateWriter &writer) const {
    for (const auto &cpu : cpus_) cpu->counted->save_progress(writer);
}

Result<> CpuSet::restore_progress(devices::StateReader &reader) {
    for (const auto &cpu : cpus_) TRY(cpu->counted->restore_progress(reader));
    return {};
}

void CpuSet::detach() {
    for (const auto &cpu : cpus_) cpu->cpu.reset();
}

void CpuSet::run_cpu(u32 index) {
    current_cpu = index;
    // Sleeps end at guest timer deadlines; the default slack of 50 us would make each late.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    const profile::Sampler::ThreadScope sampled(sampler_);
    Vcpu &cpu = *cpus_[index];
    cpu.thread_id = ::gettid();
    for (;;) {
        std::optional<CpuStart> start; // else it goes on
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] {
                return reason_ != StopReason::None ||
                       (cpu.power != CpuPower::Off && !stand_still());
            });
            if (reason_ != StopReason::None) return;
            start = take_start(cpu);
            ++executing_;
        }
        if (start.has_value()) cpu.cpu->start(*start);
        while (cpu.power == CpuPower::On && reason_ == StopReason::None && !stand_still())
            cpu.threaded->run();
        const std::lock_guard lock(mutex_);
        if (--executing_ == 0) stood_still_.notify_all();
    }
}

std::optional<CpuStart> CpuSet::take_start(Vcpu &cpu) {
    const bool starts = cpu.power == CpuPower::OnPending;
    cpu.power = CpuPower::On;
    return starts ? std::optional(cpu.start) : std::nullopt;
}

void CpuSet::run_in_turns() {
    const profile::Sampler::ThreadScope sampled(sampler_);
    for (const auto &cpu : cpus_) cpu->thread_id = ::gettid();
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return reason_ != StopReason::None || !stand_still(); });
            if (reason_ != StopReason::None) return;
            executing_ = 1;
        }
        sequencer_->run(*this);
        const std::lock_guard lock(mutex_);
        executing_ = 0;
        stood_still_.notify_all();
    }
}

void CpuSet::start_pending() {
    for (const auto &cpu : cpus_) {
        if (cpu->power != CpuPower::OnPending) continue;
        std::optional<CpuStart> start;
        {
            const std::lock_guard lock(mutex_);
            start = take_start(*cpu);
        }
        cpu->cpu->start(*start);
    }
}

CountedCpu *CpuSet::started(u32 index) {
    const Vcpu &cpu = *cpus_[index];
    return cpu.power == CpuPower::On ? cpu.counted : nullptr;
}

void CpuSet::enter(u32 index) {
    current_cpu = index;
}

bool CpuSet::must_leave() const {
    return reason_ != StopReason::None || stand_still();
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
    if (sequencer_ != nullptr && (irq || fiq) && cpu != current_cpu) sequencer_->interrupted(cpu);
}

u32 CpuSet::current() const {
    return current_cpu;
}

void CpuSet::send_event() {
    for (const auto &cpu : cpus_) cpu->cpu->signal_event();
}

void CpuSet::yield() {
    // CPUs that take turns have no thread that could run meanwhile.
    if (sequencer_ == nullptr) ::sched_yield();
}

} // namespace tandem::machine
