#include "jit/tiering/region_service.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace tandem::jit {
namespace {

/// More would be stale before its turn came.
constexpr std::size_t kMaxQueue = 64;
/// How much the compiling thread gives way to vCPUs where cores are scarce.
constexpr int kNiceness = 5;

/// CPU time of this thread: time on a busy host's clock would say little.
u64 thread_nanoseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}

/// T1 has inline code for nearly everything; calling definitions instead would be slower.
bool is_covered(const RegionCompiler &compiler, const Region &region) {
    for (const ir::Block &block : region.blocks)
        for (const ir::Inst &inst : block.insts)
            if (!compiler.has_code_for(inst.op)) return false;
    return true;
}

} // namespace

RegionService::RegionService(const EngineOptions &options, std::span<const ir::Helper> helpers,
                             const Runtime &runtime, CodeWindow stubs, CodeArena &arena,
                             BlockCache &cache)
    : options_(options), helpers_(helpers), stubs_(runtime, helpers, stubs), arena_(arena),
      cache_(cache) {}

RegionService::~RegionService() {
    {
        const std::lock_guard guard(mutex_);
        is_stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    for (const Request &request : queue_) cache_.cancel(request.reservation);
}

void RegionService::submit(Request &&request) {
    BlockCache::Reservation unwanted = request.reservation;
    {
        const std::lock_guard guard(mutex_);
        if (!is_unavailable_) {
            queue_.push_back(std::move(request));
            if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
            wake_.notify_one();
            if (queue_.size() <= kMaxQueue) return;
            // Of equal ones the oldest: its time may be over.
            const auto lightest = std::ranges::min_element(queue_, {}, &Request::weight);
            unwanted = lightest->reservation;
            queue_.erase(lightest);
            ++statistics_.dropped;
        }
    }
    cache_.cancel(unwanted);
}

bool RegionService::raise(u64 physical, u32 mode, u32 weight) {
    const std::lock_guard guard(mutex_);
    for (Request &request : queue_) {
        if (request.page != (physical & kPageMask) || request.region.mode != mode ||
            request.region.find(static_cast<i64>(physical & ~kPageMask)) < 0)
            continue;
        request.weight = std::max(request.weight, weight);
        return true;
    }
    return false;
}

void RegionService::compile_now(Request &&request) {
    Request own = std::move(request);
    compile(own);
}

void RegionService::work() {
    ::pthread_setname_np(::pthread_self(), "tandem-llvm");
    const auto self = static_cast<id_t>(::gettid());
    ::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kNiceness);
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return is_stopping_ || !queue_.empty(); });
        if (is_stopping_) return;
        // Of equal ones the newest: it is what runs now.
        const auto heaviest = std::prev(
            std::ranges::max_element(queue_.rbegin(), queue_.rend(), {}, &Request::weight).base());
        Request request = std::move(*heaviest);
        queue_.erase(heaviest);
        lock.unlock();
        compile(request);
        lock.lock();
    }
}

/// Null when there is none. Under compile_mutex_.
RegionCompiler *RegionService::compiler() {
    if (std::exchange(has_tried_, true)) return compiler_.get();
    std::string trouble;
    void *handle = ::dlopen(options_.region_compiler.c_str(), RTLD_NOW | RTLD_LOCAL);
    void *create = handle != nullptr ? ::dlsym(handle, kCreateRegionCompiler) : nullptr;
    if (create != nullptr) {
        compiler_.reset(reinterpret_cast<CreateRegionCompiler>(create)(
            helpers_.data(), helpers_.size(), options_.host_level));
        return compiler_.get();
    }
    const char *reason = ::dlerror();
    const std::lock_guard guard(mutex_);
    statistics_.trouble = reason != nullptr ? reason : "unknown";
    is_unavailable_ = true;
    return nullptr;
}

void RegionService::compile(Request &request) {
    const std::lock_guard compiling(compile_mutex_);
    RegionCompiler *const compiler = this->compiler();
    const Region &region = request.region;
    const auto drop = [&](std::string trouble) {
        cache_.cancel(request.reservation);
        const std::lock_guard guard(mutex_);
        ++statistics_.dropped;
        if (!trouble.empty()) statistics_.trouble = std::move(trouble);
    };
    if (compiler == nullptr) return drop({});
    if (!request.is_forced && !is_covered(*compiler, region)) return drop({});
    const u64 start = thread_nanoseconds();
    ArenaPiece gate(arena_, RegionStubs::gate_size(region));
    if (gate.window().size == 0) return drop("no room for the code of regions");
    TranslationObserver *const observer = options_.observer;
    std::string text;
    const bool is_observed = observer != nullptr && observer->wants(request.va);
    auto image = compiler->compile(region, is_observed ? &text : nullptr);
    if (!image.has_value()) return drop(image.error().message);
    auto compiled = place_image(std::move(*image), stubs_.symbols(region, gate.window()), arena_);
    if (!compiled.has_value()) return drop(compiled.error().message);
    const std::span code(compiled->code.window().executable, compiled->code.window().size);
    if (is_observed) observer->optimised(request.va, text, code);
    if (options_.perf_map != nullptr) {
        options_.perf_map->add("t2", request.va, code);
        options_.perf_map->add("t2-gate", request.va,
                               {gate.window().executable, gate.window().size});
    }
    if (code_index_ != nullptr) {
        const auto offset = static_cast<u32>(request.va & 0xfff);
        code_index_->add(CodeKind::Optimised, offset, code);
        code_index_->add(CodeKind::Optimised, offset,
                         {gate.window().executable, gate.window().size});
    }

    auto block = std::make_unique<TranslationBlock>();
    CompiledBlock links;
    stubs_.emit_gate(region, reinterpret_cast<u64>(block.get()), block->entries, *compiled,
                     gate.window(), links);
    block->is_region = true;
    block->physical = request.page | region.first_byte;
    block->mode = region.mode;
    block->guest_bytes = region.end_byte - region.first_byte;
    block->guest_instructions = region.guest_instructions;
    block->window = gate.window();
    block->baseline_ticks = request.baseline_ticks;
    for (const LinkSite &site : links.links) block->links.push_back({site, nullptr});
    std::vector<BlockCache::RegionEntry> entries;
    for (std::size_t i = 0; i < region.entries.size(); ++i)
        entries.push_back(
            {region.blocks[region.entries[i]].page_offset, RegionStubs::entry(gate.window(), i)});
    const u64 code_bytes = gate.window().size + compiled->code.window().size;
    block->side_table = std::move(compiled->side_table);
    block->owned_code.push_back(std::move(gate));
    block->owned_code.push_back(std::move(compiled->code));
    const bool is_published = cache_.promote(std::move(block), entries, request.reservation);

    const std::lock_guard guard(mutex_);
    statistics_.nanoseconds += thread_nanoseconds() - start;
    if (!is_published) {
        ++statistics_.dropped;
        return;
    }
    ++statistics_.regions;
    statistics_.blocks += region.blocks.size();
    statistics_.guest_instructions += region.guest_instructions;
    statistics_.code_bytes += code_bytes;
}

RegionStatistics RegionService::statistics() const {
    const std::lock_guard guard(mutex_);
    return statistics_;
}

} // namespace tandem::jit
