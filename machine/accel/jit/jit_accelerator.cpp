#include "machine/accel/jit/jit_accelerator.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "machine/accel/jit/counted_jit_cpu.h"
#include "machine/accel/jit/jit_cpu.h"

#include <filesystem>

namespace tandem::machine {
namespace {

/// The module that holds T2: beside the program, or where it is installed.
std::string region_compiler_path() {
    constexpr const char *kName = "libtandem-llvm.so";
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto folder = program.parent_path();
    const auto beside = folder / kName;
    if (std::filesystem::exists(beside, error)) return beside.string();
    return (folder / TANDEM_MODULE_FOLDER / kName).string();
}

} // namespace

JitAccelerator::JitAccelerator(const arm::CpuModel &model, const JitWiring &wiring,
                               const JitOptions &options)
    : model_(model), wiring_(wiring), options_(options), frontend_(model_.features()),
      mmu_(*wiring.memory), printer_(options.trace, frontend_, stderr) {}

Result<std::unique_ptr<JitAccelerator>> JitAccelerator::create(const arm::CpuModel &model,
                                                               const JitWiring &wiring,
                                                               const JitOptions &options) {
    std::unique_ptr<JitAccelerator> self{new JitAccelerator(model, wiring, options)};
    jit::EngineOptions engine_options;
    engine_options.compile = options.compile;
    engine_options.optimise = options.optimise;
    engine_options.isolate_devices = options.deterministic;
    engine_options.region_compiler = region_compiler_path();
    if (options.trace.any()) engine_options.observer = &self->printer_;
    engine_options.poll_interrupts = [](ir::ExecContext &context) {
        arm::take_interrupt(static_cast<arm::ArmState &>(context));
    };
    self->engine_ =
        TRY(jit::Engine::create(self->frontend_, self->mmu_, *wiring.memory, engine_options));
    wiring.memory->set_observer(self.get());
    return self;
}

std::unique_ptr<AcceleratedCpu> JitAccelerator::create_cpu(u32 index) {
    return std::make_unique<JitCpu>(*engine_, mmu_, model_, wiring_, index);
}

std::unique_ptr<CountedCpu> JitAccelerator::create_counted_cpu(u32 index) {
    return std::make_unique<CountedJitCpu>(*engine_, mmu_, model_, wiring_, index);
}

} // namespace tandem::machine
