#pragma once
/// The Accelerator that translates: AArch64 frontend, IR, interpreter (T0) and baseline JIT (T1).
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/mmu/mmu.h"
#include "frontend-arm/state/cpu_model.h"
#include "jit/disk_cache/disk_cache.h"
#include "jit/tiering/engine.h"
#include "machine/accel/accelerator.h"
#include "machine/accel/jit/jit_cpu_debug.h"
#include "machine/accel/jit/jit_cpu_profile.h"
#include "machine/accel/jit/jit_wiring.h"
#include "machine/debug/block_printer.h"
#include "machine/debug/symbols.h"

#include <vector>

namespace tandem::machine {

struct JitOptions {
    bool compile = true; ///< false: interpret only
    jit::Optimise optimise = jit::Optimise::Never;
    bool deterministic = false; ///< for counted CPUs
    TranslationCacheConfig translation_cache;
    TraceConfig trace;
    bool perf_map = false;                 ///< tell Linux perf of translated code
    std::vector<std::string> symbols;      ///< files that name guest code there
    profile::Profiler *profiler = nullptr; ///< outlives the accelerator; null: none
    const GuestMemory *ram = nullptr;      ///< for the profiler; likewise
};

class JitAccelerator final : public Accelerator, private AcceleratorDebug {
public:
    [[nodiscard]] static Result<std::unique_ptr<JitAccelerator>>
    create(const arm::CpuModel &, const JitWiring &, const JitOptions &);

    std::string_view name() const override { return options_.compile ? "jit" : "interp"; }
    std::unique_ptr<AcceleratedCpu> create_cpu(u32 index) override;
    std::unique_ptr<CountedCpu> create_counted_cpu(u32 index) override;
    void slow_down_writes() override { engine_->slow_down_writes(); }
    std::string statistics_report() const override { return engine_->statistics_report(); }
    void memory_written(GuestPhysAddr address, u64 length) override {
        engine_->invalidate_physical(address.value(), length);
    }
    void map_changed() override { engine_->physical_map_changed(); }
    AcceleratorDebug *debug() override { return this; }

private:
    JitAccelerator(const arm::CpuModel &, const JitWiring &, const JitOptions &);
    template <typename Cpu>
    [[nodiscard]] std::unique_ptr<Cpu> make_cpu(u32 index);
    const RegisterFile &registers() const override { return debug_.registers.file; }
    CpuDebug &cpu(u32 index) override { return *debugged_[index]; }
    [[nodiscard]] std::unique_ptr<jit::DiskCache> open_disk_cache(const jit::EngineOptions &) const;
    void set_points(std::span<const DebugPoint>) override;
    void set_listener(CpuStopListener *listener) override { debug_.listener = listener; }

    arm::CpuModel model_;
    JitWiring wiring_;
    JitOptions options_;
    arm::a64::A64Frontend frontend_;
    arm::Mmu mmu_;
    BlockPrinter printer_;
    Symbols symbols_;
    std::unique_ptr<jit::PerfMap> perf_map_;
    std::unique_ptr<jit::DiskCache> disk_cache_;
    std::unique_ptr<jit::Engine> engine_;
    JitDebug debug_;
    std::unique_ptr<JitProfiling> profiling_;
    std::vector<JitCpuDebug *> debugged_; ///< CPUs by index
};

} // namespace tandem::machine
