#pragma once
/// The board's CPUs: their power states, and the wires between them. Each has a host thread; those
/// of a deterministic machine take turns on one.
#include "devices/core/state.h"
#include "devices/core/vcpu_identity.h"
#include "devices/gic/cpu_interrupt_sink.h"
#include "frontend-arm/state/environment.h"
#include "machine/accel/accelerator.h"
#include "machine/cpu/cpu_sequencer.h"
#include "machine/cpu/psci.h"
#include "machine/profile/sampler.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem::machine {

/// Why the machine stopped.
enum class StopReason : u8 {
    None,
    PowerOff,
    Panicked, ///< the guest, and that is its end
    Exited,   ///< the guest's program, with a status
    Reset,
    Quit,   ///< the console's escape key
    Signal, ///< SIGINT, SIGTERM or the like
    Timeout,
    Failure,  ///< the host's; whoever stopped the machine knows more
    Reached,  ///< the moment at which it was to stop
    Replaced, ///< the machine goes on from a snapshot
};

class CpuSet final : public PowerControl,
                     public devices::CpuInterruptSink,
                     public devices::VcpuIdentity,
                     public arm::EventBus,
                     private SequencedCpus {
public:
    /// `affinities` are the CPUs' MPIDR_EL1 without its RES1 bit. With a sequencer, which outlives
    /// the set, the CPUs take turns.
    explicit CpuSet(std::vector<u64> affinities, CpuSequencer *sequencer = nullptr);
    ~CpuSet() override;

    /// Before run(): the threads that execute CPUs are sampled. The sampler outlives the set.
    void set_sampler(profile::Sampler *sampler) { sampler_ = sampler; }
    /// Creates the CPUs; once, before run().
    void attach(Accelerator &);
    /// Destroys the CPUs, before their accelerator; after run().
    void detach();

    /// Puts CPU 0 at its start, before run().
    void start(const CpuStart &);
    /// Runs the CPUs as they were started or restored, and returns when someone has called stop();
    /// all threads have ended then.
    StopReason run();
    /// Any thread. The first reason counts.
    void stop(StopReason);

    /// Returns when every CPU is between two instructions and stays there, or the set has been
    /// stopped. A CPU that waits for an interrupt wakes early, as it may at any time (Arm ARM
    /// D1.6.2). The CPUs go on after as many calls of resume().
    void pause();
    void resume();
    /// Any thread, the CPUs' own too: every CPU stops between two instructions, soon, and stays
    /// there until end_hold(), whatever others pause and resume.
    void hold();
    void end_hold();
    /// Somebody has called stop(), or the guest.
    [[nodiscard]] bool is_stopping() const { return reason_ != StopReason::None; }
    /// The host thread of a CPU; 0 while it has none.
    [[nodiscard]] int thread_id(u32 cpu) const { return cpus_[cpu]->thread_id; }
    // While paused or not running yet.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

    /// Of CPUs that take turns: see CountedCpu.
    void save_progress(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore_progress(devices::StateReader &);
    /// On the thread that executes them: they have not been stopped after all.
    void forget_stop() { reason_ = StopReason::None; }

    std::optional<u32> find_cpu(u64 mpidr) const override;
    CpuPower power_of(u32 cpu) const override;
    bool power_on(u32 cpu, u64 entry, u64 context) override;
    void power_off(u32 cpu) override;
    void system_off() override { stop(StopReason::PowerOff); }
    void system_reset() override { stop(StopReason::Reset); }

    void set_interrupt_lines(u32 cpu, bool irq, bool fiq) override;
    u32 current() const override;
    void send_event() override;
    void yield() override;

private:
    struct Vcpu {
        u64 affinity = 0;
        std::unique_ptr<GuestCpu> cpu;
        AcceleratedCpu *threaded = nullptr; ///< `cpu`, if it has a thread
        CountedCpu *counted = nullptr;      ///< `cpu`, if it takes turns
        std::atomic<CpuPower> power = CpuPower::Off;
        CpuStart start; ///< guarded by mutex_
        std::thread thread;
        std::atomic<int> thread_id = 0;
    };

    void run_cpu(u32 index);
    void run_in_turns();
    /// Makes all come back soon from where they execute or sleep.
    void call_back();
    [[nodiscard]] bool stand_still() const { return pauses_ != 0 || held_; }
    /// Called with the mutex held: the CPU goes on. Returns what it starts with, if it starts.
    [[nodiscard]] static std::optional<CpuStart> take_start(Vcpu &);

    // What the sequencer sees.
    u32 count() const override { return static_cast<u32>(cpus_.size()); }
    void start_pending() override;
    CountedCpu *started(u32 cpu) override;
    void enter(u32 cpu) override;
    bool must_leave() const override;

    CpuSequencer *const sequencer_;
    profile::Sampler *sampler_ = nullptr;
    std::vector<std::unique_ptr<Vcpu>> cpus_;
    mutable std::mutex mutex_;
    std::condition_variable changed_; ///< a CPU may go on, or the machine stops
    std::condition_variable stood_still_;
    u32 executing_ = 0;              ///< CPUs inside AcceleratedCpu::run(); guarded by mutex_
    std::atomic<u32> pauses_ = 0;    ///< changed under mutex_
    std::atomic<bool> held_ = false; ///< likewise
    std::atomic<StopReason> reason_ = StopReason::None;
};

} // namespace tandem::machine
