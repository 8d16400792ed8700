#pragma once
/// What runs the guest's CPUs: the JIT (or its interpreter), or KVM. The machine creates one CPU
/// per vCPU thread and knows nothing else of how instructions are executed.
#include "devices/core/state.h"
#include "machine/accel/accelerator_debug.h"
#include "machine/memory/physical_map.h"
#include "support/bits.h"

#include <memory>
#include <string>
#include <string_view>

namespace tandem::machine {

/// How a CPU starts: after reset, or by PSCI CPU_ON.
struct CpuStart {
    u64 entry = 0;
    std::array<u64, 4> arguments{}; ///< X0-X3
};

/// One CPU, however it gets its time. start() is called on the thread that executes it or while
/// none does, save() and restore() while none does, the rest by any.
class GuestCpu {
public:
    virtual ~GuestCpu() = default;
    /// Puts the CPU into its reset state, about to execute `entry`.
    virtual void start(const CpuStart &) = 0;
    /// Makes whoever executes the CPU come back soon, or at once if it has yet to begin.
    virtual void leave() = 0;
    /// State of the interrupt inputs, as the interrupt controller sees it.
    virtual void set_interrupt_lines(bool irq, bool fiq) = 0;
    /// SEV by another CPU.
    virtual void signal_event() = 0;
    virtual void save(devices::StateWriter &) const = 0;
    /// In place of start(); the interrupt controller has been restored.
    [[nodiscard]] virtual Result<> restore(devices::StateReader &) = 0;
};

/// One with a thread of its own.
class AcceleratedCpu : public GuestCpu {
public:
    /// Executes guest code, and sleeps while the guest waits for an interrupt or event. Returns
    /// when the guest gave the CPU up (PSCI) or after leave(); which of these, the caller knows.
    virtual void run() = 0;
};

/// One of a deterministic machine, whose CPUs take turns on one thread. What it does depends on its
/// state and on guest time alone.
class CountedCpu : public GuestCpu {
public:
    static constexpr u64 kNever = ~u64{0};

    enum class TurnEnd : u8 {
        Used,      ///< exactly as many instructions as given were executed
        Attention, ///< fewer: leave() was called, or what is due next has changed
        Waits,     ///< for an interrupt or event
        Stopped,   ///< the guest gave the CPU up
    };
    [[nodiscard]] virtual TurnEnd run_turn(u64 instructions) = 0;
    /// Between turns: what save() leaves out, as a snapshot may. Restored with both, after all that
    /// the CPU's wires lead to, it goes on exactly as the saved one did.
    virtual void save_progress(devices::StateWriter &) const = 0;
    [[nodiscard]] virtual Result<> restore_progress(devices::StateReader &) = 0;
    /// Instructions executed, up to the current one; grows within a turn.
    [[nodiscard]] virtual u64 executed() const = 0;
    /// Whether the CPU has something to execute; ends a wait whose event has come.
    [[nodiscard]] virtual bool can_run() = 0;
    [[nodiscard]] virtual bool is_waiting() const = 0;
    /// A wait for an event that has no other source than memory may be over: others have run.
    virtual void rouse() = 0;
    /// When such a wait is over all the same, in guest time.
    [[nodiscard]] virtual u64 nap_end() const = 0;

    // What happens to the CPU by itself.
    /// When it does, in guest time.
    [[nodiscard]] virtual u64 next_deadline() const = 0;
    /// How many instructions it may execute before it does.
    [[nodiscard]] virtual u64 instructions_to_deadline() const = 0;
    /// Lets happen what is due.
    virtual void time_passed() = 0;
};

class Accelerator : public MemoryObserver {
public:
    [[nodiscard]] virtual std::string_view name() const = 0;
    // Before any CPU runs; all CPUs of a machine are of one kind.
    [[nodiscard]] virtual std::unique_ptr<AcceleratedCpu> create_cpu(u32 index) = 0;
    [[nodiscard]] virtual std::unique_ptr<CountedCpu> create_counted_cpu(u32 index) = 0;
    /// The next store to each page is noticed by DirtyLog. Returns when all stores that began
    /// before have been made. Any thread that runs no CPU.
    virtual void slow_down_writes() = 0;
    /// Multi-line report for --stats.
    [[nodiscard]] virtual std::string statistics_report() const = 0;
    /// Null if it cannot be debugged.
    [[nodiscard]] virtual AcceleratorDebug *debug() { return nullptr; }
};

} // namespace tandem::machine
