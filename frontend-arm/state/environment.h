#pragma once
/// What the board provides to one CPU. machine/ implements these interfaces and binds them by
/// filling an Environment for every CPU. Unless said otherwise they are called on the CPU's own
/// host thread, while translated code is suspended in a helper.
#include "frontend-arm/sysreg/sysreg_ids.h"
#include "support/bits.h"

namespace tandem::ir {
class AddressTranslator;
class PhysicalBus;
class TlbControl;
} // namespace tandem::ir

namespace tandem::arm {

struct ArmState;

/// ICC_* system registers (IHI 0069, CPU interface). Null in the Environment if the board's GIC has
/// no system register interface (GICv2). The register is named by its SysRegId (reg::ICC_PMR_EL1).
/// The IRQ and FIQ outputs are bits 0 and 1 of ExecContext::interrupt_lines; the GIC sets them from
/// any thread.
class GicCpuInterface {
public:
    virtual ~GicCpuInterface() = default;
    virtual u64 read(SysRegId) = 0;
    virtual void write(SysRegId, u64 value) = 0;
};

enum class TimerChannel : u8 { Physical /**< PPI 30 */, Virtual /**< PPI 27 */ };

/// The system counter and the wires of this CPU's two generic timers.
class TimerPort {
public:
    static constexpr u64 kNever = ~u64{0};
    virtual ~TimerPort() = default;
    /// The system counter (CNTPCT_EL0) now, exact to the current instruction in deterministic mode.
    [[nodiscard]] virtual u64 counter() = 0;
    /// Its frequency in Hz, constant.
    [[nodiscard]] virtual u64 frequency() const = 0;
    /// The timer's output is high exactly while counter() >= rises_at, until the next call.
    /// kNever: low. The board drives the PPI accordingly, from its own thread if it likes.
    virtual void set_timer(TimerChannel, u64 rises_at) = 0;
};

enum class Conduit : u8 { Hvc, Smc };

/// PSCI and SMCCC. Arguments are in X0-X17, results go to X0-X3.
class Firmware {
public:
    virtual ~Firmware() = default;
    /// False: there is no firmware behind this instruction, it is UNDEFINED. ArmState::pc is
    /// already the address of the next instruction. May set pending_exit (Halt for CPU_SUSPEND,
    /// Stop for CPU_OFF, SYSTEM_OFF, SYSTEM_RESET).
    [[nodiscard]] virtual bool call(ArmState &, Conduit) = 0;
};

class EventBus {
public:
    virtual ~EventBus() = default;
    /// SEV: sets ArmState::event_register of every CPU and wakes those that sleep.
    virtual void send_event() = 0;
    /// YIELD, or a spinning wait: another CPU should run. Meaningful in deterministic mode.
    virtual void yield() = 0;
};

/// RNDR and RNDRRS.
class Entropy {
public:
    virtual ~Entropy() = default;
    /// False: nothing available now (NZCV = 0b0100 and the result is 0).
    [[nodiscard]] virtual bool random(u64 &value, bool reseeded) = 0;
};

/// Instruction counts and the performance monitor's wire.
class PmuPort {
public:
    static constexpr u64 kNever = ~u64{0};
    virtual ~PmuPort() = default;
    /// Instructions retired by this CPU, up to and without the current one.
    [[nodiscard]] virtual u64 instructions() = 0;
    /// PMUIRQ: PPI 23.
    virtual void set_line(bool high) = 0;
    /// An enabled counter will overflow after `instructions` more instructions or at system counter
    /// value `counter` (kNever: not): call pmu_poll() on the CPU's thread then or a little later.
    virtual void set_overflow_deadline(u64 instructions, u64 counter) = 0;
};

/// HLT #0xF000 of a privileged program (Arm, "Semihosting for AArch32 and AArch64").
class SemihostingCalls {
public:
    enum class Completion : u8 {
        Done,  ///< the instruction has executed
        Again, ///< it executes once more, once interrupts have been looked at
        Waits, ///< likewise, after a wait for an event
    };
    virtual ~SemihostingCalls() = default;
    /// X0 and X1 are the call, X0 becomes the answer. May set pending_exit (Stop).
    [[nodiscard]] virtual Completion call(ArmState &) = 0;
};

/// One per CPU. All but `gic` and `semihosting` must be set before the CPU runs.
struct Environment {
    GicCpuInterface *gic = nullptr;
    TimerPort *timer = nullptr;
    Firmware *firmware = nullptr;
    SemihostingCalls *semihosting = nullptr; ///< null: HLT is always UNDEFINED
    EventBus *events = nullptr;
    Entropy *entropy = nullptr;
    PmuPort *pmu = nullptr;
    ir::TlbControl *tlb = nullptr;
    ir::AddressTranslator *mmu = nullptr; ///< an arm::Mmu
    ir::PhysicalBus *bus = nullptr;
};

} // namespace tandem::arm
