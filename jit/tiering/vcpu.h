#pragma once
/// The dispatcher of one vCPU: finds the next block, translates and promotes it, runs it.
#include "ir/interpreter/predecoder.h"
#include "ir/passes/passes.h"
#include "jit/cache/block_cache.h"
#include "jit/runtime/code_index.h"
#include "jit/runtime/stopwatch.h"
#include "jit/tiering/engine.h"
#include "jit/tiering/region_service.h"

#include <span>

namespace tandem::jit {

/// What the dispatchers of a machine share.
struct EngineShared {
    const ir::Frontend &frontend;
    EngineOptions options;
    SoftmmuShared softmmu;
    BlockCache &cache;
    CodeMemory &code_memory;
    CodeIndex *code_index = nullptr;  ///< null: nobody profiles
    const Runtime *runtime = nullptr; ///< null: T0 alone
    RegionService *regions = nullptr; ///< null: no T2
    World world{};
    std::vector<class Vcpu *> vcpus{};
    u64 flushes = 0; ///< of the whole cache; changed while the world is stopped
};

class Vcpu {
public:
    Vcpu(ir::ExecContext &context, EngineShared &shared);

    [[nodiscard]] ExitReason run(i64 budget, StopAt stop, StepControl control);
    /// Of the last run that ended with ExitReason::Watchpoint.
    [[nodiscard]] const WatchHit &watch_hit() const { return softmmu_.watch_hit(); }
    /// See Engine::position().
    [[nodiscard]] Position position(const void *host_pc, const void *host_sp) const;
    [[nodiscard]] Softmmu &softmmu() { return softmmu_; }
    [[nodiscard]] const Softmmu &softmmu() const { return softmmu_; }

private:
    struct Where;
    /// A block by virtual address, like a jump cache entry, but for those in T0, and checked for
    /// validity when used.
    struct Recent {
        u64 pc = ~u64{0};
        u64 tag = 0;
        TranslationBlock *block = nullptr;
    };

    static constexpr unsigned kRecentBits = 14;
    /// One run of translated code.
    struct Slice {
        const TranslationBlock *start = nullptr; ///< null unless it was of full length
        u64 ticks = 0;
    };

    [[nodiscard]] static u32 recent_index(u64 pc) {
        return static_cast<u32>(((pc >> 2) * 0x9e3779b97f4a7c15) >> (64 - kRecentBits));
    }

    /// Handles ExecContext::attention. False: return from run().
    bool attend();
    template <typename Action>
    void stop_world(Action action);
    void flush_cache();
    /// Keeps memory bounded. True: the world was stopped, blocks may be gone.
    bool tidy_cache();

    bool locate(Where &where);
    TranslationBlock *find_or_translate(const Where &where);
    /// Also packs the optimised IR, if that is wanted.
    ir::Predecoded translate(const Where &where, u32 max_instructions,
                             ir::PackedBlock *packed = nullptr);
    void translate_ir(const Where &where, u32 max_instructions, ir::Block *raw = nullptr);
    /// Has block_ end before the next cut (jit/softmmu/debug_points.h).
    void cut_block(const Where &where);
    [[nodiscard]] bool is_observed(const Where &where) const;
    /// Counts a run in T0; true when the block has earned compilation.
    [[nodiscard]] bool earns_code(TranslationBlock &block) const;
    [[nodiscard]] TranslationBlock *recall(u64 pc, u64 tag) const;
    void remember(u64 pc, TranslationBlock &block);
    /// Compiles with T1. False: memory had run out and all blocks are gone, this one too.
    bool compile(const Where &where, TranslationBlock &block);
    /// A slice has ended where `block` is next.
    void sample(TranslationBlock &block);
    /// A slice has ended in it: is it worth its while?
    void review(TranslationBlock &region);
    /// Asks T2 for the loop that a block is in, if it is in one.
    void promote(TranslationBlock &block);
    /// Asks T2 for what was hot at a block in an earlier run, which the disk cache may have.
    void recall(const Where &where, const TranslationBlock &block);
    [[nodiscard]] bool uses_disk_cache() const;
    /// Where the page is that stands `page` bytes from a block's in the address space that runs;
    /// nothing if that is not known offhand or runs in another mode.
    [[nodiscard]] std::optional<u64> physical_page(const TranslationBlock &block, i64 page) const;
    /// Reserves a range of a physical page for a request.
    void add_piece(RegionService::Request &request, const CodeRange &range, u64 page);
    /// For the disk cache, after the reservations: what memory holds there.
    void read_guest_code(RegionService::Request &request) const;
    u32 run_uncached(u32 max_instructions);
    ExitInfo run_code(const void *code);
    [[nodiscard]] std::optional<CodeIndex::Found> find_caller(const void *host_sp) const;
    u32 run_interpreted(const ir::Predecoded &predecoded);
    void link(const ExitInfo &exit, u64 pc, TranslationBlock &to);

    EngineShared &shared_;
    ir::ExecContext &context_;
    Softmmu softmmu_;
    std::unique_ptr<Compiler> compiler_;
    CodeChunk chunk_; ///< what is left of this vCPU's share of code memory
    CompiledBlock compiled_;
    ir::Block block_;
    Arena arena_; ///< of T0 code and packed IR
    ir::Optimiser optimiser_;
    ir::Predecoder predecoder_;
    Stopwatch stopwatch_;
    /// Above the stack of the running code of T1 or T2; null: none runs. For position().
    std::atomic<const void *> code_stack_ = nullptr;
    u32 sample_countdown_ = 0;
    Slice slice_; ///< the last one
    std::array<Recent, 1u << kRecentBits> recent_{};
    alignas(64) std::array<std::byte, 4096> page_copy_{};
};

} // namespace tandem::jit
