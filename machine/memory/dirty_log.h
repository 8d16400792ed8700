#pragma once
/// Which pages of RAM were written since the last collection, one bit for each. While it is off it
/// costs a test of a flag where a device has written or a TLB entry is filled.
///
/// Marks and stores. A CPU marks a page before it stores to it, a device after. So who collects
/// takes the marks first, then has CPUs finish the stores that they have marked (Accelerator::
/// slow_down_writes()), and reads the pages last: what is written later than that is marked again.
#include "support/bits.h"

#include <atomic>
#include <span>
#include <vector>

namespace tandem::machine {

class DirtyLog {
public:
    static constexpr u64 kPageSize = 4096;

    explicit DirtyLog(u64 bytes) : words_((bytes / kPageSize + 63) / 64) {}

    /// From now on; nothing is marked. Who collects slows writes down next.
    void start() {
        for (std::atomic<u64> &word : words_) word.store(0, std::memory_order_relaxed);
        is_on_.store(true, std::memory_order_seq_cst);
    }
    void stop() { is_on_.store(false, std::memory_order_seq_cst); }
    [[nodiscard]] bool is_on() const { return is_on_.load(std::memory_order_relaxed); }

    /// The next store to the page has to be marked.
    [[nodiscard]] bool is_clean(u64 page) const {
        return is_on() && !bit(words_[page / 64].load(std::memory_order_seq_cst),
                               static_cast<unsigned>(page % 64));
    }
    void mark(u64 page) {
        if (is_clean(page))
            words_[page / 64].fetch_or(u64{1} << (page % 64), std::memory_order_seq_cst);
    }
    void mark_bytes(u64 offset, u64 length) {
        if (!is_on() || length == 0) return;
        for (u64 page = offset / kPageSize; page <= (offset + length - 1) / kPageSize; ++page)
            mark(page);
    }

    [[nodiscard]] std::size_t word_count() const { return words_.size(); }
    /// Moves the marks to a bitmap of word_count() words, in addition to what it has.
    void collect(std::span<u64> into) {
        for (std::size_t i = 0; i < words_.size(); ++i)
            if (words_[i].load(std::memory_order_relaxed) != 0)
                into[i] |= words_[i].exchange(0, std::memory_order_seq_cst);
    }

private:
    std::vector<std::atomic<u64>> words_;
    std::atomic<bool> is_on_ = false;
};

} // namespace tandem::machine
