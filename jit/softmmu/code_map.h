#pragma once
/// Which bytes of physical memory have been translated: pages with code and, in each, the 64-byte
/// granules that blocks cover. Stores to such granules invalidate blocks.
#include "support/bits.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace tandem::jit {

struct TranslationBlock;

struct CodePage {
    explicit CodePage(u64 page) : physical_page(page) {}

    u64 physical_page;
    /// Bit n: some block covers bytes of granule n. Set before the bytes are read for translation;
    /// a storing vCPU reads it before and after its store.
    std::atomic<u64> granules = 0;
    TranslationBlock *blocks = nullptr; ///< guarded by BlockCache's mutex
    u32 regions = 0;                    ///< how many of them are T2's; guarded likewise
    /// T2's regions of other pages that have code on this one; guarded likewise.
    std::vector<TranslationBlock *> visitors;
    u64 covered = 0;      ///< granules of `blocks` and `visitors`; guarded likewise
    u32 reservations = 0; ///< translations under way; guarded likewise
    /// Of these, how many wait for stores that began before the page's were slowed down; guarded
    /// likewise.
    u32 waiting_reservations = 0;
    /// How many translations have begun. Counted after their granules are marked.
    std::atomic<u32> reservations_made = 0;
    /// Bumped, under that mutex, whenever bytes of a covered granule were written.
    u64 version = 0;
    bool is_listed = false; ///< in BlockCache's list of pages, guarded by its mutex

    /// Granules that bytes offset .. offset + length - 1 touch; length is not 0.
    [[nodiscard]] static constexpr u64 mask(u32 offset, u32 length) {
        const u32 first = offset >> 6;
        const u32 last = (offset + length - 1) >> 6;
        return ones(last - first + 1) << first;
    }
    [[nodiscard]] bool covers(u32 offset, u32 length) const {
        return (granules.load(std::memory_order_seq_cst) & mask(offset, length)) != 0;
    }
};

/// Look-up takes no lock. Pages are never removed, only emptied.
class CodeMap {
public:
    CodeMap();
    ~CodeMap();

    [[nodiscard]] CodePage *find(u64 physical_page) const;
    [[nodiscard]] CodePage &get(u64 physical_page);
    [[nodiscard]] bool has_code(u64 physical_page) const {
        const CodePage *page = find(physical_page);
        return page != nullptr && page->granules.load(std::memory_order_seq_cst) != 0;
    }

private:
    struct Table;

    std::atomic<const Table *> table_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<CodePage>> pages_;
    std::vector<std::unique_ptr<Table>>
        tables_; ///< the current one last; readers may use older ones
};

} // namespace tandem::jit
