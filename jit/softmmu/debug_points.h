#pragma once
/// Breakpoints and watchpoints of a debugger outside of the machine, by guest virtual address, in
/// every address space. Guest memory holds nothing of them.
///
/// A breakpoint is where blocks end: code is cut at the physical addresses that breakpoints are
/// found mapped to (a cut), and a block that begins at a cut stays in T0, where the dispatcher
/// looks at the address before it runs. Cuts are made when an instruction fetch is translated, for
/// all breakpoints that the same table entry maps: links between pages stay within one entry (see
/// reach.h), so no code gets to a breakpoint around its cut.
///
/// A watchpoint makes the write or read tags of its pages slow, and is compared on the slow path.
#include "ir/types.h"

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace tandem::jit {

/// `length` bytes from `va`, which do not go round the end of the address space.
struct Watchpoint {
    u64 va = 0;
    u64 length = 1;
    bool on_load = false;
    bool on_store = true;

    bool operator==(const Watchpoint &) const = default;
};

struct WatchHit {
    std::size_t index = 0; ///< of the watchpoint, as they were set
    u64 address = 0;       ///< the first watched byte that is accessed
    bool is_store = false;
};

class DebugPoints {
public:
    // --- while no vCPU runs ---

    /// Replaces all breakpoints; false if they are the same. Returns in `cuts` the physical
    /// addresses that are cut no more.
    [[nodiscard]] bool set_breakpoints(std::span<const u64> addresses, std::vector<u64> &cuts);
    /// Replaces all watchpoints; false if they are the same.
    [[nodiscard]] bool set_watchpoints(std::span<const Watchpoint>);

    // --- any thread ---

    [[nodiscard]] bool has_breakpoints() const {
        return has_breakpoints_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_breakpoint(u64 pc) const;
    /// An instruction fetch from `va_page` goes to `physical_page`, by an entry that maps 1 <<
    /// size_log2 bytes. Returns the physical addresses that are newly cut: blocks with these bytes
    /// must go.
    [[nodiscard]] std::vector<u64> note_fetch(u64 va_page, u64 physical_page, unsigned size_log2);
    /// The first cut after `physical` on its page, or the page's end.
    [[nodiscard]] u64 next_cut(u64 physical) const;
    [[nodiscard]] bool is_cut(u64 physical) const;

    /// Whether an access to this 4 KiB page may hit a watchpoint.
    [[nodiscard]] bool watches_page(u64 va) const {
        return !watchpoints_.empty() && find_watched_page(va);
    }
    [[nodiscard]] std::optional<WatchHit> find_watchpoint(u64 va, u32 bytes, bool is_store) const;

private:
    [[nodiscard]] bool find_watched_page(u64 va) const;

    std::atomic<bool> has_breakpoints_ = false;
    std::vector<u64> breakpoints_; ///< sorted; changed while no vCPU runs, as is the next
    std::vector<Watchpoint> watchpoints_;
    mutable std::mutex mutex_;             ///< guards the cuts
    std::map<u64, std::vector<u64>> cuts_; ///< by page; sorted
};

} // namespace tandem::jit
