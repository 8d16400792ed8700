#pragma once
/// The compile service of T2: regions are queued by vCPUs and compiled by a thread of its own,
/// which loads the compiler's module when the first one comes. A vCPU never waits for it, unless
/// the engine's options say that regions are compiled at once. What the disk cache has is taken
/// from there, without the compiler.
#include "jit/cache/block_cache.h"
#include "jit/disk_cache/disk_cache.h"
#include "jit/regions/region_compiler.h"
#include "jit/regions/region_stubs.h"
#include "jit/runtime/code_index.h"
#include "jit/tiering/engine.h"

#include <condition_variable>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tandem::jit {

/// What T2 has done.
struct RegionStatistics {
    u64 regions = 0, blocks = 0, guest_instructions = 0, code_bytes = 0;
    u64 compiled_instructions = 0; ///< of the guest's: without those of recalled regions
    u64 nanoseconds = 0;           ///< of CPU time, to compile
    u64 recalled = 0;              ///< regions of the disk cache, among the others
    u64 recalling_nanoseconds = 0; ///< of CPU time
    u64 dropped = 0;     ///< not worth it, their code was written meanwhile, or there was no room
    std::string trouble; ///< why there is no compiler, or the last failure
};

class RegionService {
public:
    struct Request {
        Region region; ///< without blocks: nothing to compile, what is recalled will do
        struct Piece {
            CodeRange range;
            u64 page = 0; ///< its physical address
            BlockCache::Reservation reservation{};
        };
        std::vector<Piece> pieces{}; ///< where its code lies; the region's page is the first
        /// What memory holds there, read since the reservations; none: the disk cache is not asked.
        /// `key` is of the block to enter at.
        GuestCode guest_code{};
        u64 key = 0;
        std::vector<u64> crossings{}; ///< the blocks at Region::crossings
        u64 baseline_ticks = 0;       ///< as TranslationBlock has it
        u64 va = 0;                   ///< of its first block, as it was promoted; for people
        u32 weight = 0;               ///< how much time it takes: the heaviest comes first
        bool is_forced = false;       ///< whether it pays or not
    };

    /// `stubs` is RegionStubs::kSize bytes; everything must outlive the service.
    RegionService(const EngineOptions &options, std::span<const ir::Helper> helpers,
                  const Runtime &runtime, CodeWindow stubs, CodeArena &arena, BlockCache &cache);
    /// Before anything is submitted: code is entered there.
    void set_code_index(CodeIndex *index) { code_index_ = index; }
    /// Waits for the compilation under way.
    ~RegionService();
    RegionService(const RegionService &) = delete;
    RegionService &operator=(const RegionService &) = delete;

    /// Any thread. Takes over the reservations. What is too much for the queue is forgotten, the
    /// lightest first.
    void submit(Request &&request);
    /// Any thread: the region with the block there has become heavier. False if none is queued.
    [[nodiscard]] bool raise(u64 physical, u32 mode, u32 weight);
    /// Any thread: compiles and publishes before it returns.
    void compile_now(Request &&request);

    [[nodiscard]] RegionStatistics statistics() const;

private:
    void work();
    /// Of those queued, the one to serve next. Under the mutex.
    [[nodiscard]] Request take();
    void serve(Request &request);
    /// From the disk cache.
    [[nodiscard]] std::optional<RegionRecord> recall(const Request &request);
    [[nodiscard]] Result<RegionRecord> compile(const Request &request, std::string *text);
    [[nodiscard]] Result<bool> publish(Request &request, RegionRecord &record, bool is_recalled,
                                       const std::string &text);
    [[nodiscard]] RegionCompiler *compiler();
    void cancel(const Request &request);

    const EngineOptions options_;
    const std::span<const ir::Helper> helpers_;
    const RegionStubs stubs_;
    CodeArena &arena_;
    BlockCache &cache_;
    CodeIndex *code_index_ = nullptr; ///< null: nobody profiles

    std::mutex compile_mutex_; ///< one compilation at a time
    std::unique_ptr<RegionCompiler> compiler_;
    bool has_tried_ = false;

    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable wake_;
    std::vector<Request> queue_;
    std::deque<Request> recalls_;
    RegionStatistics statistics_;
    bool is_stopping_ = false;
    bool is_unavailable_ = false;
    std::thread thread_;
};

} // namespace tandem::jit
