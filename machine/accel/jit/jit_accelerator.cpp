#include "machine/accel/jit/jit_accelerator.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "machine/accel/jit/counted_jit_cpu.h"
#include "machine/accel/jit/jit_cpu.h"
#include "machine/host/module.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace tandem::machine {
JitAccelerator::JitAccelerator(const arm::CpuModel &model, const JitWiring &wiring,
                               const JitOptions &options)
    : model_(model), wiring_(wiring), options_(options), frontend_(model_.features()),
      mmu_(*wiring.memory), printer_(options.trace, frontend_, stderr),
      debug_(describe_arm64_registers(model_)) {}

Result<std::unique_ptr<JitAccelerator>> JitAccelerator::create(const arm::CpuModel &model,
                                                               const JitWiring &wiring,
                                                               const JitOptions &options) {
    std::unique_ptr<JitAccelerator> self{new JitAccelerator(model, wiring, options)};
    jit::EngineOptions engine_options;
    engine_options.compile = options.compile;
    engine_options.optimise = options.optimise;
    engine_options.isolate_devices = options.deterministic;
    engine_options.region_compiler = module_path("libtandem-llvm.so");
    if (options.trace.any()) engine_options.observer = &self->printer_;
    if (options.perf_map) {
        for (const std::string &path : options.symbols) TRY(self->symbols_.read(path));
        self->perf_map_ = TRY(jit::PerfMap::create(
            [symbols = &self->symbols_](u64 va) { return symbols->name(va); }));
        engine_options.perf_map = self->perf_map_.get();
    }
    if (options.profiler != nullptr) {
        self->profiling_ = std::make_unique<JitProfiling>(*options.profiler, *options.ram);
        engine_options.index_code = true;
    }
    if (options.optimise != jit::Optimise::Never && !options.translation_cache.directory.empty()) {
        self->disk_cache_ = self->open_disk_cache(engine_options);
        engine_options.disk_cache = self->disk_cache_.get();
    }
    engine_options.poll_interrupts = [](ir::ExecContext &context) {
        arm::take_interrupt(static_cast<arm::ArmState &>(context));
    };
    self->engine_ =
        TRY(jit::Engine::create(self->frontend_, self->mmu_, *wiring.memory, engine_options));
    wiring.memory->set_observer(self.get());
    return self;
}

std::unique_ptr<jit::DiskCache>
JitAccelerator::open_disk_cache(const jit::EngineOptions &engine) const {
    auto identity =
        jit::identify(engine.region_compiler, engine.host_level, frontend_.configuration());
    const auto warn = [](const std::string &what) { fmt::print(stderr, "tandem: {}\n", what); };
    if (!identity.has_value()) {
        warn(fmt::format("translation cache: {}; going on without", identity.error().message));
        return nullptr;
    }
    return std::make_unique<jit::DiskCache>(
        jit::DiskCacheOptions{.directory = options_.translation_cache.directory,
                              .max_bytes = options_.translation_cache.max_bytes,
                              .identity = std::move(*identity),
                              .warn = warn});
}

template <typename Cpu>
std::unique_ptr<Cpu> JitAccelerator::make_cpu(u32 index) {
    auto cpu =
        std::make_unique<Cpu>(*engine_, mmu_, model_, wiring_, debug_, profiling_.get(), index);
    debugged_.resize(std::max<std::size_t>(debugged_.size(), index + 1));
    debugged_[index] = &cpu->debug();
    return cpu;
}

std::unique_ptr<AcceleratedCpu> JitAccelerator::create_cpu(u32 index) {
    return make_cpu<JitCpu>(index);
}

std::unique_ptr<CountedCpu> JitAccelerator::create_counted_cpu(u32 index) {
    return make_cpu<CountedJitCpu>(index);
}

void JitAccelerator::set_points(std::span<const DebugPoint> points) {
    debug_.points.assign(points.begin(), points.end());
    debug_.watchpoints.clear();
    std::vector<u64> breakpoints;
    std::vector<jit::Watchpoint> watchpoints;
    for (const DebugPoint &point : points) {
        if (point.is_breakpoint()) {
            breakpoints.push_back(point.address);
            continue;
        }
        debug_.watchpoints.push_back(point);
        watchpoints.push_back({.va = point.address,
                               .length = point.length,
                               .on_load = point.kind != DebugPointKind::WriteWatchpoint,
                               .on_store = point.kind != DebugPointKind::ReadWatchpoint});
    }
    engine_->set_breakpoints(breakpoints);
    engine_->set_watchpoints(watchpoints);
}

} // namespace tandem::machine
