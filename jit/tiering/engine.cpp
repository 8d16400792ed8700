#include "jit/tiering/engine.h"

#include "jit/tiering/report.h"
#include "jit/tiering/vcpu.h"
#include "support/check.h"

#include <algorithm>

namespace tandem::jit {

class Engine::Impl {
public:
    Impl(const ir::Frontend &frontend, ir::AddressTranslator &translator, ir::PhysicalBus &bus,
         const EngineOptions &options, std::unique_ptr<CodeMemory> code_memory,
         std::unique_ptr<CodeIndex> code_index)
        : cache_(code_map_, broadcast_), code_memory_(std::move(code_memory)),
          code_index_(std::move(code_index)),
          shared_{.frontend = frontend,
                  .options = options,
                  .softmmu = {translator, bus, code_map_, cache_, debug_points_,
                              frontend.privileged_mode_mask(), options.isolate_devices},
                  .cache = cache_,
                  .code_memory = *code_memory_,
                  .code_index = code_index_.get()} {
        if (!options.compile) return;
        const CodeChunk chunk = code_memory_->allocate(Runtime::kSize);
        CHECK(chunk.size == Runtime::kSize);
        runtime_ =
            std::make_unique<Runtime>(CodeWindow{chunk.writable, chunk.executable, chunk.size},
                                      HostFeatures::detect_up_to(options.host_level));
        shared_.runtime = runtime_.get();
        if (options.optimise != Optimise::Never) {
            const CodeChunk stubs = code_memory_->allocate(RegionStubs::kSize);
            const CodeChunk regions = code_memory_->allocate(code_memory_->size() / 4);
            CHECK(stubs.size != 0 && regions.size != 0);
            arena_ = std::make_unique<CodeArena>(
                CodeWindow{regions.writable, regions.executable, regions.size});
            regions_ = std::make_unique<RegionService>(
                options, frontend.helpers(), *runtime_,
                CodeWindow{stubs.writable, stubs.executable, stubs.size}, *arena_, cache_);
            regions_->set_code_index(code_index_.get());
            shared_.regions = regions_.get();
        }
        code_memory_->keep();
    }

    CodeMap code_map_;
    DebugPoints debug_points_;
    TlbBroadcast broadcast_;
    std::unique_ptr<CodeArena> arena_; ///< blocks in the cache own pieces of it
    BlockCache cache_;
    std::unique_ptr<CodeMemory> code_memory_;
    std::unique_ptr<CodeIndex> code_index_; ///< null unless it is wanted
    std::unique_ptr<Runtime> runtime_;
    EngineShared shared_;
    std::vector<std::unique_ptr<Vcpu>> vcpus_;
    std::unique_ptr<RegionService> regions_;
    Statistics others_; ///< of detached vCPUs, and of what no vCPU did
    Clock clock_;
};

namespace {
Softmmu &softmmu(const ir::ExecContext &context) {
    return static_cast<Softmmu &>(*context.memory);
}
} // namespace

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(const ir::Frontend &frontend,
                                               ir::AddressTranslator &translator,
                                               ir::PhysicalBus &bus, const EngineOptions &options) {
    auto code_memory = TRY(CodeMemory::create(options.code_cache_size));
    std::unique_ptr<CodeIndex> code_index;
    if (options.index_code) code_index = TRY(CodeIndex::create(code_memory->executable()));
    return std::unique_ptr<Engine>(new Engine(std::make_unique<Impl>(
        frontend, translator, bus, options, std::move(code_memory), std::move(code_index))));
}

void Engine::attach(ir::ExecContext &context) {
    impl_->vcpus_.push_back(std::make_unique<Vcpu>(context, impl_->shared_));
    Vcpu &vcpu = *impl_->vcpus_.back();
    impl_->shared_.vcpus.push_back(&vcpu);
    impl_->shared_.world.join(vcpu.softmmu().safepoint);
    impl_->cache_.join(vcpu.softmmu());
}

void Engine::detach(ir::ExecContext &context) {
    auto &vcpu = *static_cast<Vcpu *>(softmmu(context).owner);
    impl_->others_ += vcpu.softmmu().statistics;
    impl_->cache_.leave(vcpu.softmmu());
    impl_->shared_.world.leave(vcpu.softmmu().safepoint);
    std::erase(impl_->shared_.vcpus, &vcpu);
    std::erase_if(impl_->vcpus_, [&](const auto &each) { return each.get() == &vcpu; });
}

ExitReason Engine::run(ir::ExecContext &context, i64 budget, StopAt stop, StepControl control) {
    return static_cast<Vcpu *>(softmmu(context).owner)->run(budget, stop, control);
}

void Engine::set_breakpoints(std::span<const u64> addresses) {
    std::vector<u64> cuts;
    if (!impl_->debug_points_.set_breakpoints(addresses, cuts)) return;
    for (const u64 cut : cuts) invalidate_physical(cut, 1);
    for (Softmmu *member : impl_->broadcast_.members()) member->forget_fetches();
}

void Engine::set_watchpoints(std::span<const Watchpoint> watchpoints) {
    if (!impl_->debug_points_.set_watchpoints(watchpoints)) return;
    for (Softmmu *member : impl_->broadcast_.members()) member->watchpoints_changed();
}

WatchHit Engine::watch_hit(ir::ExecContext &context) {
    return static_cast<Vcpu *>(softmmu(context).owner)->watch_hit();
}

ExclusiveMonitor &Engine::exclusive_monitor(const ir::ExecContext &context) {
    return softmmu(context).monitor();
}

void Engine::kick(ir::ExecContext &context) {
    context.attention.fetch_or(kAttentionKick, std::memory_order_release);
}

Position Engine::position(const ir::ExecContext &context, const void *host_pc,
                          const void *host_sp) {
    return static_cast<const Vcpu *>(static_cast<const Softmmu &>(*context.memory).owner)
        ->position(host_pc, host_sp);
}

ir::TlbControl &Engine::tlb_control() {
    return impl_->broadcast_;
}

void Engine::invalidate_physical(u64 physical, u64 length) {
    if (length == 0) return;
    // As for a vCPU's store: a translator that reserves from now on reads what was written.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    Statistics ignored;
    impl_->cache_.code_written(physical, length, ignored);
}

void Engine::slow_down_writes() {
    impl_->broadcast_.slow_down_all_writes();
}

void Engine::physical_map_changed() {
    for (Softmmu *member : impl_->broadcast_.members()) {
        u64 ticket = 0;
        static_cast<void>(member->invalidate_remotely({}, ticket));
    }
}

Statistics Engine::statistics() const {
    Statistics sum = impl_->others_;
    for (const auto &vcpu : impl_->vcpus_) sum += vcpu->softmmu().statistics;
    return sum;
}

std::string Engine::statistics_report() const {
    return report(statistics(),
                  impl_->regions_ != nullptr ? impl_->regions_->statistics() : RegionStatistics{},
                  impl_->clock_);
}

} // namespace tandem::jit
