#pragma once
/// Who executes the CPUs of a deterministic machine in turns, and what it sees of them.
/// machine/replay implements it.
#include "machine/accel/accelerator.h"

namespace tandem::machine {

/// On the thread that executes, but for must_leave().
class SequencedCpus {
public:
    virtual ~SequencedCpus() = default;
    [[nodiscard]] virtual u32 count() const = 0;
    /// Starts the CPUs that the guest has powered on.
    virtual void start_pending() = 0;
    /// The CPU; null: it does not execute.
    [[nodiscard]] virtual CountedCpu *started(u32 cpu) = 0;
    /// The one that devices are accessed by from now on.
    virtual void enter(u32 cpu) = 0;
    /// Any thread.
    [[nodiscard]] virtual bool must_leave() const = 0;
};

class CpuSequencer {
public:
    virtual ~CpuSequencer() = default;
    /// Executes until must_leave().
    virtual void run(SequencedCpus &) = 0;
    /// Any thread: must_leave() may answer differently now.
    virtual void wake() = 0;
    /// By the CPU that executes, or between turns: another one has an interrupt.
    virtual void interrupted(u32 cpu) = 0;
};

} // namespace tandem::machine
