#pragma once
/// All translation blocks of a machine.
///
/// Look-up takes no lock; everything that changes the cache takes the mutex (and, inside it, vCPUs'
/// softmmu locks). Invalid blocks are garbage: their memory is reused only in
/// collect() or clear(), while no vCPU is inside (jit/runtime/safepoint.h). T1 code memory is freed
/// by clear() alone.
#include "jit/cache/translation_block.h"
#include "jit/runtime/code_memory.h"
#include "jit/softmmu/softmmu.h"
#include "jit/softmmu/tlb_broadcast.h"

#include <mutex>
#include <span>

namespace tandem::jit {

class BlockCache final : public CodeWriteHandler {
public:
    BlockCache(CodeMap &code_map, TlbBroadcast &vcpus);
    ~BlockCache() override;

    /// A vCPU whose jump cache and stores the cache takes care of from now on, or no longer. While
    /// no vCPU runs: only the compile service, which publishes when it is ready, may be at work.
    void join(Softmmu &vcpu);
    void leave(Softmmu &vcpu);

    /// The block that starts at this physical address in this mode, or null.
    [[nodiscard]] TranslationBlock *find(u64 physical, u32 mode) const {
        TranslationBlock *block = bucket(physical, mode).load(std::memory_order_acquire);
        while (block != nullptr && (block->physical != physical || block->mode != mode))
            block = block->next_in_bucket.load(std::memory_order_acquire);
        return block;
    }

    /// Before guest code is read for translation: from now on stores to it are noticed. May wait
    /// for those that other vCPUs have under way: see TlbBroadcast::wait().
    struct Reservation {
        CodePage *page = nullptr;
        u64 version = 0;
    };
    [[nodiscard]] Reservation reserve(u64 physical, u32 length, Softmmu &self);
    /// Adds a block translated since `reservation`, which ends. Null if its code has been written
    /// meanwhile. If another vCPU was faster, its block.
    [[nodiscard]] TranslationBlock *insert(std::unique_ptr<TranslationBlock> block,
                                           const Reservation &reservation);

    /// Ends a reservation whose translation is not wanted any more.
    void cancel(const Reservation &reservation);
    /// Adds a region made since `reservations`, which end, and makes the blocks at its entries
    /// enter it, with all that was linked to them; those without code will when they get some. The
    /// first reservation is of the region's page, the others of its visits.
    /// False if code has been written meanwhile, the cache been cleared, or all enter a region as
    /// large already, or did until it was taken back.
    bool promote(std::unique_ptr<TranslationBlock> region,
                 std::span<const Reservation> reservations);
    /// Takes a region back: the blocks that enter it have T1's code again. Its memory stays until
    /// collect().
    void demote(TranslationBlock &region);

    /// Gives a block its T1 code, unless it is invalid or has some already.
    void set_code(TranslationBlock &block, CodeWindow window, const CompiledBlock &compiled);
    /// Makes exit `link` of `from` jump straight to `to`, if both are valid and `to` has code.
    /// True if it was done.
    bool link(TranslationBlock &from, u32 link, TranslationBlock &to);

    /// Page offsets of the blocks on a page in which slices of translated code ended, the ones with
    /// most of them first. Any thread.
    [[nodiscard]] std::vector<u32> warm_offsets(u64 page, u32 mode);

    // --- CodeWriteHandler; any thread ---
    [[nodiscard]] bool hits_block_at(u64 physical, u32 length, u64 running) override;
    void code_written(u64 physical, u64 length, Statistics &statistics) override;

    /// Approximate bytes of blocks and T0 code, garbage included, and of garbage alone.
    [[nodiscard]] std::size_t byte_size() const { return bytes_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t garbage_size() const {
        return garbage_bytes_.load(std::memory_order_relaxed);
    }

    /// What the arenas of blocks' T0 code and IR hold: counted by them.
    [[nodiscard]] std::atomic<std::size_t> &arena_bytes() { return arena_bytes_; }

    /// While no vCPU is inside: frees garbage.
    void collect();
    /// While no vCPU is inside: drops every block. The caller empties jump caches and code memory.
    void clear();

private:
    static constexpr unsigned kBucketBits = 18;
    using Bucket = std::atomic<TranslationBlock *>;

    [[nodiscard]] Bucket &bucket(u64 physical, u32 mode) const {
        const u64 key = (physical >> 1) ^ u64 { mode } << 40;
        return buckets_[(key * 0x9e3779b97f4a7c15) >> (64 - kBucketBits)];
    }
    /// Is code there what it was at the reservation, and not about to be replaced?
    [[nodiscard]] bool is_current(const Reservation &, u64 physical, u32 bytes) const;
    TranslationBlock &add(CodePage &page, std::unique_ptr<TranslationBlock> block);
    void forget_in_jump_caches(const TranslationBlock &block);
    /// Has all that enters a block do so at `code`.
    void redirect(TranslationBlock &block, const void *code);
    /// The block there enters no region as large as this one, and none was taken back.
    [[nodiscard]] bool gains_by(const TranslationBlock &region, u64 physical) const;
    /// Has a block that has just got its code enter the region that waits for it, if there is one.
    void enter_waiting_region(TranslationBlock &block);
    void end(const Reservation &reservation);
    /// Off its page's list; the blocks that enter it have T1's code again.
    void unlist(TranslationBlock &region);
    void invalidate(TranslationBlock &block);
    void invalidate_in_page(CodePage &page, u64 physical, u64 length, Statistics &statistics);

    CodeMap &code_map_;
    TlbBroadcast &vcpus_;
    std::mutex mutex_;
    std::unique_ptr<Bucket[]> buckets_;
    std::vector<CodePage *> pages_; ///< that have had blocks since the last clear()
    std::vector<std::unique_ptr<TranslationBlock>> dead_blocks_;
    std::atomic<std::size_t> bytes_ = 0;
    std::atomic<std::size_t> garbage_bytes_ = 0;
    std::atomic<std::size_t> arena_bytes_ = 0;
};

} // namespace tandem::jit
