#pragma once
/// What a vCPU's thread is doing, for a profiler that interrupts it.
#include "support/bits.h"

#include <atomic>

namespace tandem::jit {

enum class Activity : u8 {
    Outside, ///< of the engine: the machine's own work
    Dispatch,
    Translation, ///< to IR and T0
    Compilation, ///< by T1; by T2 where a CPU waits for it
    Interpreter, ///< T0
    Baseline,    ///< T1's code
    Optimised,   ///< T2's code
    Helper, ///< C++ code that translated code has called: system registers, exceptions, definitions
    Softmmu, ///< filling TLBs: table walks
    Device,  ///< an access to a device
};

/// Written by the thread itself, read by its signal handlers.
using ActivityMark = std::atomic<Activity>;

/// What is done until the scope ends; then again what was done before.
class ActivityScope {
public:
    ActivityScope(ActivityMark &mark, Activity activity)
        : mark_(mark), before_(mark.load(std::memory_order_relaxed)) {
        mark_.store(activity, std::memory_order_relaxed);
    }
    ~ActivityScope() { mark_.store(before_, std::memory_order_relaxed); }
    ActivityScope(const ActivityScope &) = delete;
    ActivityScope &operator=(const ActivityScope &) = delete;

private:
    ActivityMark &mark_;
    Activity before_;
};

} // namespace tandem::jit
