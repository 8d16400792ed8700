#pragma once
/// What a debugger of the machine can ask for, and be told.
#include "support/bits.h"

namespace tandem::machine {

/// In the order of the remote protocol's Z packets.
enum class DebugPointKind : u8 {
    SoftwareBreakpoint,
    HardwareBreakpoint,
    WriteWatchpoint,
    ReadWatchpoint,
    AccessWatchpoint,
};

/// By guest virtual address, in every address space and on every CPU.
struct DebugPoint {
    DebugPointKind kind = DebugPointKind::SoftwareBreakpoint;
    u64 address = 0;
    u64 length = 1; ///< in bytes, of a watchpoint

    [[nodiscard]] bool is_breakpoint() const { return kind <= DebugPointKind::HardwareBreakpoint; }
    bool operator==(const DebugPoint &) const = default;
};

/// What a CPU does when the machine goes on.
struct CpuPlan {
    enum class Kind : u8 {
        Run,
        Step,  ///< one instruction, then the machine stops
        Range, ///< until the program counter leaves [first, end), then the machine stops
        Hold,  ///< nothing
    };
    Kind kind = Kind::Run;
    u64 first = 0, end = 0;
    bool holds_interrupts = true; ///< of Step and Range: none is taken
};

/// Whether guest time goes on when the machine does. It may stand still while single instructions
/// are stepped.
enum class GuestClock : u8 { Runs, Stands };

/// Why a CPU stopped the machine. A CPU stops before the instruction or access that a breakpoint or
/// watchpoint is about.
struct CpuStop {
    enum class Cause : u8 {
        Stepped, ///< or gone to where it was to go
        Point,
        HistoryBegin, ///< of a replay: there is nothing before
        HistoryEnd,   ///< nor after
    };
    Cause cause = Cause::Stepped;
    DebugPoint point;
    u64 address = 0; ///< of a watchpoint: the first watched byte that is accessed
};

enum class StopAnswer : u8 {
    Told,   ///< the CPU waits for the machine to go on
    Untold, ///< another CPU was faster; it happens again
    Passed, ///< it is of no interest now: the CPU goes on behind the breakpoint or access
};

class CpuStopListener {
public:
    virtual ~CpuStopListener() = default;
    /// On the CPU's thread.
    virtual StopAnswer cpu_stopped(u32 cpu, const CpuStop &) = 0;
};

} // namespace tandem::machine
