#pragma once
/// The Accelerator that translates: AArch64 frontend, IR, interpreter (T0) and baseline JIT (T1).
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/mmu/mmu.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"
#include "jit/tiering/engine.h"
#include "machine/accel/accelerator.h"
#include "machine/debug/block_printer.h"
#include "machine/host/clock.h"

#include <vector>

namespace tandem::machine {

/// The interrupt controller as one CPU's own wires reach it.
class PrivateInterrupts {
public:
    virtual ~PrivateInterrupts() = default;
    /// INTID 16..31 of one CPU.
    virtual void set_ppi(u32 cpu, u32 intid, bool level) = 0;
    /// ICC_* registers; null without a system register interface.
    [[nodiscard]] virtual arm::GicCpuInterface *cpu_interface(u32 cpu) = 0;
};

/// What the board provides to its CPUs. All of it outlives the accelerator.
struct JitWiring {
    PhysicalMap *memory = nullptr;
    PrivateInterrupts *interrupts = nullptr;
    arm::Firmware *firmware = nullptr;
    arm::EventBus *events = nullptr;
    arm::Entropy *entropy = nullptr;
    const HostClock *clock = nullptr;              ///< the system counter is its time
    const devices::Clock *counted_clock = nullptr; ///< takes its place for counted CPUs
    std::vector<u64> affinities;
};

struct JitOptions {
    bool compile = true; ///< false: interpret only
    jit::Optimise optimise = jit::Optimise::Never;
    bool deterministic = false; ///< for counted CPUs
    TraceConfig trace;
};

class JitAccelerator final : public Accelerator {
public:
    [[nodiscard]] static Result<std::unique_ptr<JitAccelerator>>
    create(const arm::CpuModel &, const JitWiring &, const JitOptions &);

    std::string_view name() const override { return options_.compile ? "jit" : "interp"; }
    std::unique_ptr<AcceleratedCpu> create_cpu(u32 index) override;
    std::unique_ptr<CountedCpu> create_counted_cpu(u32 index) override;
    std::string statistics_report() const override { return engine_->statistics_report(); }
    void memory_written(GuestPhysAddr address, u64 length) override {
        engine_->invalidate_physical(address.value(), length);
    }
    void map_changed() override { engine_->physical_map_changed(); }

private:
    JitAccelerator(const arm::CpuModel &, const JitWiring &, const JitOptions &);

    arm::CpuModel model_;
    JitWiring wiring_;
    JitOptions options_;
    arm::a64::A64Frontend frontend_;
    arm::Mmu mmu_;
    BlockPrinter printer_;
    std::unique_ptr<jit::Engine> engine_;
};

} // namespace tandem::machine
