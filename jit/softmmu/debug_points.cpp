#include "jit/softmmu/debug_points.h"

#include <algorithm>

namespace tandem::jit {
namespace {

constexpr u64 kPage = ~u64{0xfff};

/// Without the byte that may be a pointer tag.
constexpr u64 untagged(u64 va) {
    return va << 8 >> 8;
}

} // namespace

bool DebugPoints::set_breakpoints(std::span<const u64> addresses, std::vector<u64> &cuts) {
    std::vector<u64> sorted(addresses.begin(), addresses.end());
    std::ranges::sort(sorted);
    const auto repeated = std::ranges::unique(sorted);
    sorted.erase(repeated.begin(), repeated.end());
    if (sorted == breakpoints_) return false;
    breakpoints_ = std::move(sorted);
    const std::lock_guard guard(mutex_);
    for (const auto &[page, offsets] : cuts_)
        cuts.insert(cuts.end(), offsets.begin(), offsets.end());
    cuts_.clear();
    has_breakpoints_ = !breakpoints_.empty();
    return true;
}

bool DebugPoints::set_watchpoints(std::span<const Watchpoint> watchpoints) {
    if (std::ranges::equal(watchpoints, watchpoints_)) return false;
    watchpoints_.assign(watchpoints.begin(), watchpoints.end());
    return true;
}

bool DebugPoints::is_breakpoint(u64 pc) const {
    return std::ranges::binary_search(breakpoints_, pc);
}

std::vector<u64> DebugPoints::note_fetch(u64 va_page, u64 physical_page, unsigned size_log2) {
    const u64 size = u64{1} << std::max(size_log2, 12u);
    const u64 first = va_page & ~(size - 1);
    std::vector<u64> added;
    const std::lock_guard guard(mutex_);
    for (auto at = std::ranges::lower_bound(breakpoints_, first);
         at != breakpoints_.end() && *at - first < size; ++at) {
        const u64 physical = physical_page + (*at - va_page);
        std::vector<u64> &cuts = cuts_[physical & kPage];
        const auto place = std::ranges::lower_bound(cuts, physical);
        if (place != cuts.end() && *place == physical) continue;
        cuts.insert(place, physical);
        added.push_back(physical);
    }
    return added;
}

u64 DebugPoints::next_cut(u64 physical) const {
    const u64 end = (physical & kPage) + 0x1000;
    const std::lock_guard guard(mutex_);
    const auto page = cuts_.find(physical & kPage);
    if (page == cuts_.end()) return end;
    const auto next = std::ranges::upper_bound(page->second, physical);
    return next == page->second.end() ? end : *next;
}

bool DebugPoints::is_cut(u64 physical) const {
    const std::lock_guard guard(mutex_);
    const auto page = cuts_.find(physical & kPage);
    return page != cuts_.end() && std::ranges::binary_search(page->second, physical);
}

bool DebugPoints::find_watched_page(u64 va) const {
    const u64 page = untagged(va) & kPage;
    return std::ranges::any_of(watchpoints_, [&](const Watchpoint &each) {
        const u64 first = untagged(each.va);
        return first <= page + 0xfff && page <= first + (each.length - 1);
    });
}

std::optional<WatchHit> DebugPoints::find_watchpoint(u64 va, u32 bytes, bool is_store) const {
    const u64 first = untagged(va);
    for (std::size_t i = 0; i < watchpoints_.size(); ++i) {
        const Watchpoint &each = watchpoints_[i];
        if (!(is_store ? each.on_store : each.on_load)) continue;
        const u64 watched = untagged(each.va);
        if (watched > first + (bytes - 1) || first > watched + (each.length - 1)) continue;
        // As the debugger writes the address.
        return WatchHit{i, each.va + (std::max(first, watched) - watched), is_store};
    }
    return std::nullopt;
}

} // namespace tandem::jit
