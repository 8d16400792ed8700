#include "jit/tiering/region_service.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace tandem::jit {
namespace {

/// More would be stale before its turn came.
constexpr std::size_t kMaxQueue = 64, kMaxRecalls = 1024;
/// How often it looks whether the disk cache wants saving.
constexpr std::chrono::seconds kSaveCheck{1};
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
    for (const Request &request : queue_) cancel(request);
    for (const Request &request : recalls_) cancel(request);
}

void RegionService::cancel(const Request &request) {
    for (const Request::Piece &piece : request.pieces) cache_.cancel(piece.reservation);
}

void RegionService::submit(Request &&request) {
    Request unwanted;
    {
        const std::lock_guard guard(mutex_);
        const bool is_recall = request.region.blocks.empty();
        const bool is_taken = is_recall ? recalls_.size() < kMaxRecalls : !is_unavailable_;
        if (is_taken) {
            if (is_recall)
                recalls_.push_back(std::move(request));
            else
                queue_.push_back(std::move(request));
            if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
            wake_.notify_one();
            if (queue_.size() <= kMaxQueue) return;
            // Of equal ones the oldest: its time may be over.
            const auto lightest = std::ranges::min_element(queue_, {}, &Request::weight);
            unwanted = std::move(*lightest);
            queue_.erase(lightest);
            ++statistics_.dropped;
        } else {
            unwanted = std::move(request);
        }
    }
    cancel(unwanted);
}

bool RegionService::raise(u64 physical, u32 mode, u32 weight) {
    const std::lock_guard guard(mutex_);
    for (Request &request : queue_) {
        if (request.pieces[0].page != (physical & kPageMask) || request.region.mode != mode ||
            request.region.find(static_cast<i64>(physical & ~kPageMask)) < 0)
            continue;
        request.weight = std::max(request.weight, weight);
        return true;
    }
    return false;
}

void RegionService::compile_now(Request &&request) {
    Request own = std::move(request);
    serve(own);
}

void RegionService::work() {
    ::pthread_setname_np(::pthread_self(), "tandem-llvm");
    const auto self = static_cast<id_t>(::gettid());
    ::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kNiceness);
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto has_work = [&] { return is_stopping_ || !queue_.empty() || !recalls_.empty(); };
        while (!has_work() && options_.disk_cache != nullptr) {
            wake_.wait_for(lock, kSaveCheck, has_work);
            lock.unlock();
            options_.disk_cache->save_if_due();
            lock.lock();
        }
        wake_.wait(lock, has_work);
        if (is_stopping_) return;
        Request request = take();
        lock.unlock();
        serve(request);
        lock.lock();
    }
}

RegionService::Request RegionService::take() {
    Request request;
    if (!recalls_.empty()) {
        request = std::move(recalls_.front());
        recalls_.pop_front();
        return request;
    }
    // Of equal ones the newest: it is what runs now.
    const auto heaviest = std::prev(
        std::ranges::max_element(queue_.rbegin(), queue_.rend(), {}, &Request::weight).base());
    request = std::move(*heaviest);
    queue_.erase(heaviest);
    return request;
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

std::optional<RegionRecord> RegionService::recall(const Request &request) {
    if (request.guest_code.parts.empty()) return std::nullopt;
    if (request.region.blocks.empty())
        return options_.disk_cache->find_hot(request.key, request.guest_code);
    return options_.disk_cache->find(request.key, outline_of(request.region), request.guest_code);
}

Result<RegionRecord> RegionService::compile(const Request &request, std::string *text) {
    RegionCompiler *const compiler = this->compiler();
    if (compiler == nullptr) return failure("");
    if (!request.is_forced && !is_covered(*compiler, request.region)) return failure("");
    RegionRecord record;
    record.image = TRY(compiler->compile(request.region, text));
    record.outline = outline_of(request.region);
    if (!request.guest_code.parts.empty())
        record.guest_code = guest_code_of(record.outline, request.guest_code);
    return record;
}

/// True if vCPUs may run it now; the reservations have ended, unless this failed. The record keeps
/// its image only if it is not recalled.
Result<bool> RegionService::publish(Request &request, RegionRecord &record, bool is_recalled,
                                    const std::string &text) {
    const RegionOutline &outline = record.outline;
    ArenaPiece gate(arena_, RegionStubs::gate_size(outline));
    if (gate.window().size == 0) return failure("no room for the code of regions");
    CompiledRegion compiled =
        TRY(place_image(is_recalled ? std::move(record.image) : RegionImage(record.image),
                        stubs_.symbols(outline, gate.window()), arena_));
    const std::span code(compiled.code.window().executable, compiled.code.window().size);
    if (!text.empty()) options_.observer->optimised(request.va, text, code);
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
    stubs_.emit_gate(outline, reinterpret_cast<u64>(block.get()), block->entries, request.crossings,
                     compiled, gate.window(), links);
    block->is_region = true;
    block->mode = outline.mode;
    // What is recalled unasked may be smaller than what it was looked for in.
    block->physical = request.pieces[0].page | outline.ranges[0].first_byte;
    block->guest_bytes = outline.ranges[0].size();
    std::vector<BlockCache::Reservation> reservations;
    for (const Request::Piece &piece : request.pieces) {
        reservations.push_back(piece.reservation);
        if (piece.range.page != 0)
            block->visits.push_back(
                {piece.reservation.page, piece.page | piece.range.first_byte, piece.range.size()});
    }
    block->guest_instructions = outline.guest_instructions;
    block->window = gate.window();
    block->baseline_ticks = request.baseline_ticks;
    if (!request.guest_code.parts.empty()) block->disk_cache_id = record.id();
    for (const LinkSite &site : links.links) block->links.push_back({site, nullptr});
    for (std::size_t i = 0; i < outline.entries.size(); ++i)
        block->entry_points.push_back({outline.entries[i], RegionStubs::entry(gate.window(), i)});
    const u64 code_bytes = gate.window().size + code.size();
    block->side_table = std::move(compiled.side_table);
    block->owned_code.push_back(std::move(gate));
    block->owned_code.push_back(std::move(compiled.code));
    if (!cache_.promote(std::move(block), reservations)) return false;
    const std::lock_guard guard(mutex_);
    statistics_.code_bytes += code_bytes;
    return true;
}

void RegionService::serve(Request &request) {
    const std::lock_guard compiling(compile_mutex_);
    const u64 start = thread_nanoseconds();
    TranslationObserver *const observer = options_.observer;
    const bool is_observed = observer != nullptr && observer->wants(request.va);
    std::string text;
    // Who wants to see how it is compiled has it compiled.
    std::optional<RegionRecord> recalled = is_observed ? std::nullopt : recall(request);
    const bool is_recalled = recalled.has_value();
    const auto published = [&]() -> Result<bool> {
        if (!is_recalled && request.region.blocks.empty()) return failure("");
        RegionRecord record = is_recalled ? std::move(*recalled)
                                          : TRY(compile(request, is_observed ? &text : nullptr));
        if (!TRY(publish(request, record, is_recalled, text))) return false;
        if (!request.guest_code.parts.empty()) {
            if (!is_recalled)
                options_.disk_cache->add(record, !request.is_forced);
            else if (!request.is_forced && record.outline.has_one_page())
                options_.disk_cache->set_hot(record.id(), true);
        }
        const std::lock_guard guard(mutex_);
        ++statistics_.regions;
        statistics_.recalled += is_recalled;
        statistics_.blocks += record.outline.extents.size();
        statistics_.guest_instructions += record.outline.guest_instructions;
        if (!is_recalled) statistics_.compiled_instructions += record.outline.guest_instructions;
        return true;
    }();
    if (!published.has_value()) cancel(request);
    if (options_.disk_cache != nullptr) options_.disk_cache->save_if_due();

    const std::lock_guard guard(mutex_);
    (is_recalled ? statistics_.recalling_nanoseconds : statistics_.nanoseconds) +=
        thread_nanoseconds() - start;
    const bool is_lost = request.region.blocks.empty() && !is_recalled;
    if (!is_lost && !published.value_or(false)) ++statistics_.dropped;
    if (!published.has_value() && !published.error().message.empty())
        statistics_.trouble = published.error().message;
}

RegionStatistics RegionService::statistics() const {
    const std::lock_guard guard(mutex_);
    return statistics_;
}

} // namespace tandem::jit
