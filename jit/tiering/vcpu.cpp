#include "jit/tiering/vcpu.h"

#include "ir/verifier/verifier.h"
#include "support/check.h"

#include <x86intrin.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <utility>

namespace tandem::jit {
namespace {

/// Instructions given to translated code at a time. Nothing but the used-up budget makes it look
/// at requests, so this bounds how long a kick or a TLB barrier waits: some microseconds.
constexpr i64 kSlice = 8192;

/// No block reads more guest code than this: 15 bytes is the longest instruction of any guest.
constexpr u32 kMaxBlockBytes = ir::kMaxBlockInstructions * 15;

constexpr std::size_t kChunkSize = std::size_t{1} << 20;
static_assert(kChunkSize >= Compiler::kMaxCodeSize);

/// Small, so that new blocks get memory that is in the caches still.
constexpr std::size_t kMaxGarbage = std::size_t{8} << 20;

/// Regions are reviewed when so many slices have ended in them, and at each power of two after
/// that.
constexpr u32 kTrialSamples = 16;
/// Entering and leaving a region moves the guest registers it uses: a region that runs fewer
/// instructions in one go gains nothing.
constexpr u64 kMinimumStay = 16;
/// Timed slices to judge by: in T1, and in a region. The clocks and neighbours of a busy host make
/// some milliseconds slow as a whole, so a region gets longer to have its best one.
constexpr u32 kTimedSlices = 4, kTimedSlicesOfRegion = 4096;

/// Of regions when all code is T2's: each block gets one, so what they have in common is compiled
/// again and again.
constexpr RegionLimits kForcedLimits{.blocks = 16, .instructions = 128, .pages = 2};

/// One in this many runs in T0 is timed.
constexpr u32 kSampleInterval = 64;

/// The top byte is not the sign extension of bit 55.
constexpr bool is_tagged(u64 pc) {
    return static_cast<u64>(static_cast<i64>(pc << 8) >> 8) != pc;
}

} // namespace

/// The next instruction's address in every form.
struct Vcpu::Where {
    u64 pc = 0;
    u64 physical = 0;
    u32 mode = 0; ///< the page's bits included
    FetchPage page;

    [[nodiscard]] u32 page_offset() const { return static_cast<u32>(pc & 0xfff); }
};

Vcpu::Vcpu(ir::ExecContext &context, EngineShared &shared)
    : shared_(shared), context_(context), softmmu_(context, shared.softmmu),
      arena_(&shared.cache.arena_bytes()), optimiser_(shared.frontend.helpers()),
      predecoder_(shared.frontend.helpers(), arena_) {
    softmmu_.owner = this;
    if (shared.runtime != nullptr)
        compiler_ = std::make_unique<Compiler>(*shared.runtime, shared.frontend.helpers());
}

// --- requests of other threads -------------------------------------------------------------------

bool Vcpu::attend() {
    const u32 wanted = context_.attention.exchange(0, std::memory_order_acq_rel);
    if ((wanted & kAttentionAcknowledge) != 0) softmmu_.acknowledge();
    if ((wanted & kAttentionFlush) != 0) softmmu_.clear_jump_cache();
    if ((wanted & kAttentionPark) != 0) {
        softmmu_.safepoint.end_accesses();
        shared_.world.park(softmmu_.safepoint);
        softmmu_.safepoint.begin_accesses();
    }
    return (wanted & kAttentionKick) == 0;
}

template <typename Action>
void Vcpu::stop_world(Action action) {
    softmmu_.safepoint.end_accesses();
    shared_.world.stop(softmmu_.safepoint, action);
    softmmu_.safepoint.begin_accesses();
}

void Vcpu::flush_cache() {
    const u64 flushes = shared_.flushes;
    stop_world([&] {
        if (shared_.flushes != flushes) return; // another vCPU has just done it
        ++shared_.flushes;
        ++softmmu_.statistics.cache_flushes;
        shared_.cache.clear();
        shared_.code_memory.reset();
        for (Vcpu *vcpu : shared_.vcpus) {
            vcpu->softmmu_.clear_jump_cache();
            vcpu->recent_.fill({});
            vcpu->chunk_ = {};
        }
    });
}

bool Vcpu::tidy_cache() {
    // A few blocks may keep whole chunks of the arenas.
    const std::size_t held = shared_.cache.arena_bytes().load(std::memory_order_relaxed);
    const std::size_t allowed = shared_.options.block_memory;
    if (shared_.cache.byte_size() > allowed ||
        held > 2 * allowed + 2 * Arena::kChunkSize * shared_.vcpus.size()) {
        flush_cache();
        return true;
    }
    if (shared_.cache.garbage_size() <= kMaxGarbage) [[likely]]
        return false;
    stop_world([&] {
        shared_.cache.collect();
        for (Vcpu *vcpu : shared_.vcpus) vcpu->recent_.fill({});
    });
    return true;
}

// --- translation
// -----------------------------------------------------------------------------------

bool Vcpu::locate(Where &where) {
    where.pc = context_.pc;
    if (!softmmu_.fetch(where.pc, where.page)) return false;
    where.physical = where.page.physical_page | where.page_offset();
    where.mode = context_.mode | where.page.mode_bits;
    return true;
}

bool Vcpu::is_observed(const Where &where) const {
    return shared_.options.observer != nullptr && shared_.options.observer->wants(where.pc);
}

void Vcpu::translate_ir(const Where &where, u32 max_instructions, ir::Block *raw) {
    // From a copy, so that the frontend sees every byte once, whatever other CPUs are writing.
    const u32 offset = where.page_offset();
    const u32 length = std::min(kMaxBlockBytes, 4096 - offset);
    std::memcpy(page_copy_.data() + offset, where.page.host + offset, length);
    block_.clear();
    shared_.frontend.translate(page_copy_, offset, where.mode, max_instructions, block_);
    if (shared_.softmmu.debug_points.has_breakpoints()) [[unlikely]]
        cut_block(where);
    if (raw != nullptr) *raw = block_;
    optimiser_.run(block_);
    if (shared_.options.verify) {
        const Result<> verified = ir::verify(block_, shared_.frontend.helpers());
        if (!verified.has_value()) {
            std::fprintf(stderr, "IR of the block at %#llx: %s\n",
                         static_cast<unsigned long long>(where.pc),
                         verified.error().message.c_str());
        }
        CHECK(verified.has_value());
    }
}

void Vcpu::cut_block(const Where &where) {
    const u64 cut = shared_.softmmu.debug_points.next_cut(where.physical) - where.physical;
    if (cut >= block_.guest_bytes) return;
    const u32 limit = where.page_offset() + static_cast<u32>(cut);
    u32 instructions = 0;
    for (const ir::Inst &inst : block_.insts)
        instructions += inst.op == ir::Opcode::Insn && ir::insn_page_offset(inst.imm) < limit;
    block_.clear();
    shared_.frontend.translate(page_copy_, where.page_offset(), where.mode, instructions, block_);
}

ir::Predecoded Vcpu::translate(const Where &where, u32 max_instructions, ir::PackedBlock *packed) {
    const ActivityScope translating(softmmu_.activity, Activity::Translation);
    stopwatch_.start();
    if (is_observed(where)) [[unlikely]] {
        ir::Block raw;
        translate_ir(where, max_instructions, &raw);
        shared_.options.observer->translated(
            where.pc, std::span(page_copy_).subspan(where.page_offset(), block_.guest_bytes), raw,
            block_);
    } else {
        translate_ir(where, max_instructions);
    }
    ir::Predecoded predecoded(block_, predecoder_);
    if (packed != nullptr) *packed = ir::PackedBlock(block_, arena_);
    Statistics &statistics = softmmu_.statistics;
    if (const std::optional<u64> ticks = stopwatch_.stop()) {
        statistics.translation_ticks += *ticks;
        statistics.translation_timed += block_.guest_instructions;
    }
    ++statistics.blocks_translated;
    statistics.guest_translated += block_.guest_instructions;
    return predecoded;
}

TranslationBlock *Vcpu::find_or_translate(const Where &where) {
    TranslationBlock *block = shared_.cache.find(where.physical, where.mode);
    // Another CPU may be writing the code at this moment; it will not do so for ever.
    for (int attempt = 0; block == nullptr && attempt < 3; ++attempt) {
        const auto reservation = shared_.cache.reserve(
            where.physical, std::min(kMaxBlockBytes, 4096 - where.page_offset()), softmmu_);
        auto fresh = std::make_unique<TranslationBlock>();
        fresh->predecoded = translate(where, ir::kMaxBlockInstructions, &fresh->packed);
        fresh->physical = where.physical;
        fresh->mode = where.mode;
        fresh->guest_bytes = block_.guest_bytes;
        fresh->guest_instructions = block_.guest_instructions;
        fresh->stays_interpreted = shared_.softmmu.debug_points.has_breakpoints() &&
                                   shared_.softmmu.debug_points.is_cut(where.physical);
        block = shared_.cache.insert(std::move(fresh), reservation);
    }
    return block;
}

TranslationBlock *Vcpu::recall(u64 pc, u64 tag) const {
    const Recent &recent = recent_[recent_index(pc)];
    if (recent.pc != pc || recent.tag != tag ||
        recent.block->is_invalid.load(std::memory_order_acquire))
        return nullptr;
    return recent.block;
}

void Vcpu::remember(u64 pc, TranslationBlock &block) {
    recent_[recent_index(pc)] = {pc, context_.exec_tag, &block};
}

bool Vcpu::earns_code(TranslationBlock &block) const {
    return compiler_ != nullptr && block.code.load(std::memory_order_relaxed) == nullptr &&
           block.runs.fetch_add(1, std::memory_order_relaxed) >=
               shared_.options.compile_threshold &&
           !block.stays_interpreted.load(std::memory_order_relaxed);
}

bool Vcpu::compile(const Where &where, TranslationBlock &block) {
    const ActivityScope compiling(softmmu_.activity, Activity::Compilation);
    stopwatch_.start();
    block.packed.unpack(block_);
    const Reach reach = reach_of(block.physical, block.mode);
    for (;;) {
        const CodeWindow window{chunk_.writable, chunk_.executable, chunk_.size};
        const CompileResult result = chunk_.size == 0
                                         ? CompileResult::WindowFull
                                         : compiler_->compile(block_, reinterpret_cast<u64>(&block),
                                                              reach, window, compiled_);
        if (result == CompileResult::TooComplex) {
            block.stays_interpreted.store(true, std::memory_order_relaxed);
            return true;
        }
        if (result == CompileResult::Done) break;
        chunk_ = shared_.code_memory.allocate(kChunkSize);
        if (chunk_.size == 0) {
            flush_cache();
            return false;
        }
    }
    if (is_observed(where)) [[unlikely]]
        shared_.options.observer->compiled(where.pc, {chunk_.executable, compiled_.size});
    if (shared_.options.perf_map != nullptr)
        shared_.options.perf_map->add("t1", where.pc, {chunk_.executable, compiled_.size});
    if (shared_.code_index != nullptr)
        shared_.code_index->add(CodeKind::Baseline, where.page_offset(),
                                {chunk_.executable, compiled_.size});
    shared_.cache.set_code(block, {chunk_.writable, chunk_.executable, compiled_.size}, compiled_);
    const std::size_t used = std::min<std::size_t>(align_up(compiled_.size, 16), chunk_.size);
    chunk_ = {chunk_.writable + used, chunk_.executable + used, chunk_.size - used};
    Statistics &statistics = softmmu_.statistics;
    if (const std::optional<u64> ticks = stopwatch_.stop()) {
        statistics.compilation_ticks += *ticks;
        statistics.compilation_timed += block_.guest_instructions;
    }
    ++statistics.blocks_compiled;
    statistics.guest_compiled += block_.guest_instructions;
    statistics.code_bytes += compiled_.size;
    return true;
}

void Vcpu::sample(TranslationBlock &block) {
    Statistics &statistics = softmmu_.statistics;
    ++statistics.slices_sampled;
    if (TranslationBlock *region = block.region.load(std::memory_order_acquire)) {
        ++statistics.slices_in_regions;
        if (slice_.start == &block) region->slice_times.add(slice_.ticks);
        review(*region);
        return;
    }
    if (shared_.regions == nullptr) return;
    if (slice_.start == &block) block.slice_times.add(slice_.ticks);
    const u32 samples = block.samples.fetch_add(1, std::memory_order_relaxed) + 1;
    if (samples < shared_.options.promotion_samples) return;
    if (!block.is_promoted.load(std::memory_order_relaxed) ||
        (std::has_single_bit(samples) &&
         !shared_.regions->raise(block.physical, block.mode, samples)))
        promote(block);
}

void Vcpu::review(TranslationBlock &region) {
    const u32 samples = region.samples.fetch_add(1, std::memory_order_relaxed) + 1;
    if (samples < kTrialSamples || !std::has_single_bit(samples)) return;
    const bool is_left_soon =
        region.entries.load(std::memory_order_relaxed) * kMinimumStay > u64{samples} * kSlice;
    const SliceTimes &times = region.slice_times;
    const bool is_slower = region.baseline_ticks != 0 &&
                           times.count.load(std::memory_order_relaxed) >= kTimedSlicesOfRegion &&
                           times.best_ticks.load(std::memory_order_relaxed) >
                               region.baseline_ticks + region.baseline_ticks / 8;
    if (!is_left_soon && !is_slower) return;
    shared_.cache.demote(region);
    ++softmmu_.statistics.regions_demoted;
    if (region.disk_cache_id.has_value())
        shared_.options.disk_cache->set_hot(*region.disk_cache_id, false);
}

bool Vcpu::uses_disk_cache() const {
    // Breakpoints cut blocks: code that knows nothing of them would run across, and code that does
    // is no good for others.
    return shared_.options.disk_cache != nullptr && !shared_.softmmu.debug_points.has_breakpoints();
}

void Vcpu::add_piece(RegionService::Request &request, const CodeRange &range, u64 page) {
    request.pieces.push_back(
        {range, page, shared_.cache.reserve(page | range.first_byte, range.size(), softmmu_)});
}

void Vcpu::read_guest_code(RegionService::Request &request) const {
    if (!uses_disk_cache()) return;
    GuestCode code;
    for (const RegionService::Request::Piece &piece : request.pieces) {
        bool writable = false;
        const std::byte *page = shared_.softmmu.bus.page(piece.page, writable);
        if (page == nullptr || piece.range.end_byte > 4096) return;
        code.parts.push_back(
            {piece.range, {page + piece.range.first_byte, page + piece.range.end_byte}});
    }
    request.guest_code = std::move(code);
}

void Vcpu::recall(const Where &where, const TranslationBlock &block) {
    if (!uses_disk_cache() || block.region.load(std::memory_order_relaxed) != nullptr) return;
    const u64 key = entry_key(block.mode, block.page_offset(),
                              {where.page.host + where.page_offset(), block.guest_bytes});
    const CodeRange range = shared_.options.disk_cache->hot_range(key);
    if (range.is_empty()) return;
    RegionService::Request request;
    request.key = key;
    request.va = where.pc;
    add_piece(request, range, where.page.physical_page);
    read_guest_code(request);
    shared_.regions->submit(std::move(request));
}

std::optional<u64> Vcpu::physical_page(const TranslationBlock &block, i64 page) const {
    if (reach_of(block.physical, block.mode).contains(page))
        return (block.physical & kPageMask) + static_cast<u64>(page);
    const FetchPage *known = softmmu_.known_fetch(context_.pc + static_cast<u64>(page));
    if (known == nullptr || (context_.mode | known->mode_bits) != block.mode) return std::nullopt;
    return known->physical_page;
}

void Vcpu::promote(TranslationBlock &block) {
    const ActivityScope promoting(softmmu_.activity, Activity::Compilation);
    const bool is_forced = shared_.options.optimise == Optimise::Always;
    const auto find_block = [&](i64 place) -> TranslationBlock * {
        const auto page = physical_page(block, page_of(place));
        if (!page.has_value()) return nullptr;
        return shared_.cache.find(*page | (static_cast<u64>(place) & 0xfff), block.mode);
    };
    std::vector<TranslationBlock *> sources;
    const CodeSource source{
        .block =
            [&](i64 place, ir::Block &out) {
                TranslationBlock *found = find_block(place);
                if (found == nullptr || found->code.load(std::memory_order_acquire) == nullptr)
                    return false;
                sources.push_back(found);
                found->packed.unpack(out);
                return true;
            },
        .warm = [&] { return shared_.cache.warm_offsets(block.physical & kPageMask, block.mode); },
        .is_within_reach =
            [&](i64 page) { return reach_of(block.physical, block.mode).contains(page); }};
    block.is_promoted.store(true, std::memory_order_relaxed);
    RegionService::Request request;
    request.region = is_forced ? form_trace(block.page_offset(), block.mode, source, kForcedLimits)
                               : form_loop(block.page_offset(), block.mode, source);
    const Region &region = request.region;
    if (region.blocks.empty()) return;
    // Where it is already, another one pays if more code has become warm.
    const TranslationBlock *entry = find_block(region.blocks[0].place());
    const TranslationBlock *existing =
        entry != nullptr ? entry->region.load(std::memory_order_acquire) : nullptr;
    if (existing != nullptr && existing->guest_instructions >= region.guest_instructions) return;
    if (entry != nullptr &&
        entry->demoted_instructions.load(std::memory_order_relaxed) >= region.guest_instructions)
        return;
    request.va = (context_.pc & kPageMask) | region.blocks[0].page_offset;
    for (const i64 place : region.crossings)
        request.crossings.push_back(reinterpret_cast<u64>(find_block(place)));
    // All of them first: a reservation may wait for other vCPUs.
    std::vector<u64> pages;
    for (const CodeRange &range : region.ranges) pages.push_back(*physical_page(block, range.page));
    for (std::size_t i = 0; i < pages.size(); ++i) add_piece(request, region.ranges[i], pages[i]);
    // A write to their code before the reservation has made them invalid, one after it is noticed.
    for (const TranslationBlock *each : sources) {
        if (!each->is_invalid.load(std::memory_order_acquire)) continue;
        for (const auto &piece : request.pieces) shared_.cache.cancel(piece.reservation);
        block.is_promoted.store(false, std::memory_order_relaxed);
        return;
    }
    read_guest_code(request);
    if (!request.guest_code.parts.empty()) {
        const ir::Block &first = region.blocks[0];
        request.key =
            entry_key(region.mode, first.page_offset,
                      request.guest_code.at(0, first.page_offset).first(first.guest_bytes));
    }
    u64 best_ticks = ~u64{0};
    for (TranslationBlock *each : sources) {
        if ((each->physical & kPageMask) != (block.physical & kPageMask) ||
            region.find(each->page_offset()) < 0)
            continue;
        each->is_promoted.store(true, std::memory_order_relaxed);
        const SliceTimes &times = each->slice_times;
        if (times.count.load(std::memory_order_relaxed) >= kTimedSlices)
            best_ticks = std::min(best_ticks, times.best_ticks.load(std::memory_order_relaxed));
    }
    request.baseline_ticks = best_ticks == ~u64{0} ? 0 : best_ticks;
    request.weight = block.samples.load(std::memory_order_relaxed);
    request.is_forced = is_forced;
    if (is_forced)
        shared_.regions->compile_now(std::move(request));
    else
        shared_.regions->submit(std::move(request));
}

void Vcpu::link(const ExitInfo &exit, u64 pc, TranslationBlock &to) {
    auto &from = *reinterpret_cast<TranslationBlock *>(exit.owner);
    // A jump that another thread has patched may have led here, without a lock: its earlier stores
    // are seen before that one.
    if (!from.is_added.load(std::memory_order_acquire)) return;
    // Within its reach, what maps the one block maps the other.
    const i64 target = from.links[exit.link].site.target;
    if (static_cast<u64>(target & 0xfff) != (pc & 0xfff) || from.mode != to.mode ||
        (from.physical & kPageMask) + static_cast<u64>(target) != to.physical)
        return;
    if (shared_.cache.link(from, static_cast<u32>(exit.link), to)) ++softmmu_.statistics.links;
}

// --- execution
// -------------------------------------------------------------------------------------

u32 Vcpu::run_interpreted(const ir::Predecoded &predecoded) {
    const ActivityScope interpreting(softmmu_.activity, Activity::Interpreter);
    Statistics &statistics = softmmu_.statistics;
    context_.pc_page = context_.pc & kPageMask;
    u32 retired = 0;
    if (sample_countdown_-- == 0) {
        sample_countdown_ = kSampleInterval - 1;
        stopwatch_.start();
        retired = predecoded.run(context_);
        if (const std::optional<u64> ticks = stopwatch_.stop()) {
            statistics.sampled_ticks += *ticks;
            statistics.sampled_instructions += retired;
        }
    } else {
        retired = predecoded.run(context_);
    }
    statistics.instructions_interpreted += retired;
    return retired;
}

/// The next instructions in T0, as a block that nobody else will run.
u32 Vcpu::run_uncached(u32 max_instructions) {
    Where where;
    static_cast<void>(softmmu_.update_exec_tag());
    if (!locate(where)) return 1; // the fetch faulted
    ++softmmu_.statistics.exact_stops;
    return run_interpreted(translate(where, max_instructions));
}

ExitInfo Vcpu::run_code(const void *code) {
    const ActivityScope executing(softmmu_.activity, Activity::Baseline);
    code_stack_.store(__builtin_frame_address(0), std::memory_order_relaxed);
    const ExitInfo exit = shared_.runtime->enter(context_, code);
    code_stack_.store(nullptr, std::memory_order_relaxed);
    return exit;
}

/// What translated code has called is to return there. AddressSanitizer would have it that frames
/// of other functions are none of ours.
[[gnu::no_sanitize_address]] std::optional<CodeIndex::Found>
Vcpu::find_caller(const void *host_sp) const {
    static constexpr std::size_t kDepth = 512;
    const auto *slot = static_cast<const void *const *>(host_sp);
    const auto *end = static_cast<const void *const *>(code_stack_.load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < kDepth && slot < end; ++i, ++slot) {
        if (!shared_.code_memory.contains(*slot)) continue;
        if (const auto found = shared_.code_index->find(*slot); found.has_value()) return found;
    }
    return std::nullopt;
}

Position Vcpu::position(const void *host_pc, const void *host_sp) const {
    Position position{softmmu_.activity.load(std::memory_order_relaxed), context_.pc};
    if (code_stack_.load(std::memory_order_relaxed) == nullptr || shared_.code_index == nullptr)
        return position;
    const bool is_baseline = position.activity == Activity::Baseline;
    std::optional<CodeIndex::Found> found;
    if (shared_.code_memory.contains(host_pc)) {
        found = shared_.code_index->find(host_pc);
        if (found.has_value() && is_baseline && found->kind == CodeKind::Optimised)
            position.activity = Activity::Optimised;
    } else if (is_baseline) {
        position.activity = Activity::Helper;
    }
    if (!found.has_value()) found = find_caller(host_sp);
    if (found.has_value()) position.pc = context_.pc_page | found->page_offset;
    return position;
}

ExitReason Vcpu::run(i64 budget, StopAt stop, StepControl control) {
    const ActivityScope dispatching(softmmu_.activity, Activity::Dispatch);
    Statistics &statistics = softmmu_.statistics;
    shared_.world.enter(softmmu_.safepoint);
    softmmu_.safepoint.begin_accesses();
    const i64 tail = stop == StopAt::Exactly ? 0 : ir::kMaxBlockInstructions - 1;
    i64 left = tail == 0 ? budget : std::max(budget, tail + 1);
    ExitInfo exit;               // how the block before was left, while its pointer is good
    bool has_used_slice = false; // by translated code
    ExitReason reason = ExitReason::BudgetUsed;
    const bool checks_points =
        shared_.softmmu.debug_points.has_breakpoints() && !control.passes_points;
    softmmu_.set_ignores_watchpoints(control.passes_points);
    const auto retire = [&](i64 count) {
        context_.retired += static_cast<u64>(count);
        statistics.instructions_retired += static_cast<u64>(count);
        left -= count;
    };
    for (;;) {
        // No jump cache entry has such an address: tagged targets all come here.
        if (is_tagged(context_.pc)) [[unlikely]]
            context_.pc = shared_.softmmu.translator.branch_address(context_, context_.pc);
        if (context_.attention.load(std::memory_order_relaxed) != 0) [[unlikely]] {
            exit = {};
            if (!attend()) {
                reason = ExitReason::Kicked;
                break;
            }
        }
        if (context_.interrupt_lines.load(std::memory_order_relaxed) != 0 &&
            shared_.options.poll_interrupts != nullptr && !control.holds_interrupts) [[unlikely]] {
            shared_.options.poll_interrupts(context_);
            context_.pending_exit = ir::PendingExit::None;
        }
        if (left <= tail) break;

        ++statistics.dispatches;
        const u64 tag = softmmu_.update_exec_tag();
        const u64 pc = context_.pc;
        const ir::JumpCacheEntry &cached = softmmu_.jump_cache_entry(pc);
        TranslationBlock *block = nullptr;
        const void *code = nullptr;
        if (cached.va == pc && load_tag(cached.tag) == tag) [[likely]] {
            block = reinterpret_cast<TranslationBlock *>(cached.block);
            code = cached.code;
        } else {
            ++statistics.jump_cache_misses;
            statistics.jump_cache_conflicts += cached.va != pc;
            if (tidy_cache()) exit = {};
            block = recall(pc, tag);
            if (block != nullptr && block->code.load(std::memory_order_relaxed) == nullptr)
                block->predecoded.prefetch();
            bool is_due = block != nullptr && earns_code(*block);
            Where where;
            if ((block == nullptr || is_due) && !locate(where)) {
                // On to the handler. It may itself be unmapped: that loop must have an end.
                retire(1);
                context_.pending_exit = ir::PendingExit::None;
                exit = {};
                continue;
            }
            if (context_.exec_tag != tag) { // another CPU's TLBI, a moment ago: look again
                exit = {};
                continue;
            }
            if (block == nullptr) {
                block = find_or_translate(where);
                if (block != nullptr) {
                    remember(pc, *block);
                    is_due = earns_code(*block);
                }
            }
            if (is_due && !compile(where, *block)) { // every block is gone
                exit = {};
                continue;
            }
            if (is_due && shared_.regions != nullptr) {
                if (shared_.options.optimise == Optimise::Always)
                    promote(*block);
                else
                    recall(where, *block);
            }
            if (block != nullptr) {
                code = block->code.load(std::memory_order_acquire);
                if (code != nullptr)
                    softmmu_.fill_jump_cache(pc, tag, *block, block->code, block->is_invalid);
            }
            // Other CPUs need not wait for this one while it waits to translate.
            if (softmmu_.update_exec_tag() != tag) {
                exit = {};
                continue;
            }
        }

        // What begins at a breakpoint has no code.
        if (checks_points && code == nullptr && shared_.softmmu.debug_points.is_breakpoint(pc))
            [[unlikely]] {
            reason = ExitReason::Breakpoint;
            break;
        }
        if (code != nullptr && left >= ir::kMaxBlockInstructions) {
            if (exit.owner != 0) link(exit, pc, *block);
            if (has_used_slice) {
                sample(*block);
                if (softmmu_.update_exec_tag() != tag) { // as above
                    exit = {};
                    continue;
                }
            }
            const i64 slice = std::min(left, kSlice);
            context_.pc_page = pc & kPageMask;
            context_.budget = context_.slice = slice;
            // What is timed is of interest to T2 alone.
            const bool is_timed = shared_.regions != nullptr && slice == kSlice;
            const u64 start = is_timed ? __rdtsc() : 0;
            exit = run_code(code);
            slice_ = is_timed ? Slice{block, __rdtsc() - start} : Slice{};
            has_used_slice = context_.budget < ir::kMaxBlockInstructions;
            const i64 used = slice - context_.budget;
            context_.budget = context_.slice = 0;
            retire(used);
        } else {
            exit = {};
            if (block != nullptr && block->predecoded.exists() && block->guest_instructions <= left)
                retire(run_interpreted(block->predecoded));
            else
                retire(run_uncached(block == nullptr ? 1
                                                     : static_cast<u32>(std::min<i64>(
                                                           left, ir::kMaxBlockInstructions))));
        }

        if (context_.pending_exit == ir::PendingExit::None) [[likely]]
            continue;
        exit = {};
        if (softmmu_.take_isolation()) {
            // It was counted like an instruction that faults, and is about to retire.
            retire(-1);
            context_.pending_exit = ir::PendingExit::None;
            softmmu_.set_stepping(true);
            retire(run_uncached(1));
            softmmu_.set_stepping(false);
        }
        if (softmmu_.take_watch_stop()) [[unlikely]] {
            retire(-1); // as above
            context_.pending_exit = ir::PendingExit::None;
            reason = ExitReason::Watchpoint;
            break;
        }
        const ir::PendingExit pending = std::exchange(context_.pending_exit, ir::PendingExit::None);
        if (pending == ir::PendingExit::Halt || pending == ir::PendingExit::Stop) {
            reason = pending == ir::PendingExit::Halt ? ExitReason::Halt : ExitReason::Stop;
            break;
        }
    }
    softmmu_.safepoint.end_accesses();
    shared_.world.exit(softmmu_.safepoint);
    return reason;
}

} // namespace tandem::jit
