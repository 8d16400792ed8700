#pragma once
/// Where an interrupt controller reports the state of each CPU's interrupt inputs.
#include "support/bits.h"

namespace tandem::devices {

class CpuInterruptSink {
public:
    virtual ~CpuInterruptSink() = default;
    /// Any thread, with locks of the controller held: sets flags and wakes the CPU if it sleeps,
    /// and never calls the controller. For one CPU calls come in order.
    virtual void set_interrupt_lines(u32 cpu, bool irq, bool fiq) = 0;
};

} // namespace tandem::devices
