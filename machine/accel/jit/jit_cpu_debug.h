#pragma once
/// What a debugger sees of a CPU run by jit::Engine, and what it wants of it. The CPU's own loop
/// carries that out.
#include "machine/accel/accelerator_debug.h"
#include "machine/accel/jit/jit_cpu_core.h"
#include "machine/debug/arm64_registers.h"

#include <optional>
#include <utility>
#include <vector>

namespace tandem::machine {

/// What the CPUs of a machine share for its debugger; changed while none runs.
struct JitDebug {
    Arm64RegisterFile registers;
    std::vector<DebugPoint> points;
    std::vector<DebugPoint> watchpoints; ///< those of them, as jit::Engine counts them
    CpuStopListener *listener = nullptr;

    explicit JitDebug(Arm64RegisterFile described) : registers(std::move(described)) {}
};

class JitCpuDebug final : public CpuDebug {
public:
    /// All outlive it.
    JitCpuDebug(JitCpuCore &core, arm::Mmu &mmu, const JitDebug &shared)
        : state_(core.state), mmu_(mmu), shared_(shared) {}

    void read_register(std::size_t number, std::span<std::byte> out) override;
    Result<> write_register(std::size_t number, std::span<const std::byte> in) override;
    std::optional<u64> translate(u64 va) override;
    u64 position() const override { return state_.retired; }
    void set_plan(const CpuPlan &plan) override {
        plan_ = plan;
        plan_at_start_ = true;
    }

    // --- the thread that executes the CPU ---
    [[nodiscard]] const CpuPlan &plan() const { return plan_; }
    [[nodiscard]] bool steps() const {
        return plan_.kind == CpuPlan::Kind::Step || plan_.kind == CpuPlan::Kind::Range;
    }
    /// The instruction that is stepped next may be at a breakpoint or hit a watchpoint: the
    /// debugger knows where the CPU stands, but not what a range leads to.
    [[nodiscard]] bool passes_points() const {
        return plan_.kind == CpuPlan::Kind::Step || plan_at_start_;
    }
    /// By its plan, the CPU has executed an instruction or gone to an exception's handler.
    void stepped();
    /// The CPU stands before an access that the debugger has been told of, or at a breakpoint that
    /// it passes: it goes on there without another word when the machine does.
    [[nodiscard]] bool stands_at_told_access() const {
        return told_access_.has_value() && *told_access_ == std::pair(state_.retired, state_.pc);
    }
    void stopped_at_breakpoint();
    void stopped_at_watchpoint();
    /// The CPU's state is another one, of another time.
    void forget_told_access() { told_access_.reset(); }

private:
    StopAnswer tell(const CpuStop &);

    arm::ArmState &state_;
    arm::Mmu &mmu_;
    const JitDebug &shared_;
    CpuPlan plan_;
    bool plan_at_start_ = false;
    std::optional<std::pair<u64, u64>> told_access_; ///< the instruction's count and address
};

} // namespace tandem::machine
