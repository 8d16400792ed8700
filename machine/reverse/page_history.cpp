#include "machine/reverse/page_history.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tandem::machine::reverse {

KeptPage::KeptPage(u64 &count, const std::byte *bytes) : count_(count) {
    std::memcpy(bytes_.data(), bytes, bytes_.size());
    ++count_;
}

PageRef PageTable::at(u64 page) const {
    const auto &leaf = leaves_[page / kPagesPerLeaf];
    return leaf == nullptr ? nullptr : (*leaf)[page % kPagesPerLeaf];
}

const std::byte *PageTable::bytes(u64 page) const {
    const PageRef kept = at(page);
    return kept == nullptr ? nullptr : kept->bytes();
}

void PageTable::set(u64 page, PageRef kept) {
    auto &leaf = leaves_[page / kPagesPerLeaf];
    if (leaf == nullptr)
        leaf = std::make_shared<Leaf>();
    else if (leaf.use_count() != 1)
        leaf = std::make_shared<Leaf>(*leaf);
    PageRef &place = (*leaf)[page % kPagesPerLeaf];
    count_ = count_ - (place != nullptr ? 1 : 0) + (kept != nullptr ? 1 : 0);
    place = std::move(kept);
}

void PageTable::add_differences(const PageTable &other, std::span<u64> pages) const {
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
        if (leaves_[i] == other.leaves_[i]) continue;
        const u64 first = i * kPagesPerLeaf;
        for (u64 page = first; page < std::min<u64>(first + kPagesPerLeaf, pages.size() * 64);
             ++page)
            if (at(page) != other.at(page)) pages[page / 64] |= u64{1} << (page % 64);
    }
}

std::vector<u64> PageHistory::collect(PagedMemory &memory) {
    std::vector<u64> pages((page_count_ + 63) / 64);
    memory.collect_written(pages);
    // Of another memory all is unknown where this one held anything.
    if (!std::exchange(is_known_, true)) present_.add_differences(PageTable(page_count_), pages);
    return pages;
}

Result<PageTable> PageHistory::take(PagedMemory &memory) {
    std::array<std::byte, kPageSize> buffer;
    const std::vector<u64> written = collect(memory);
    TRY(for_each_bit(written, [&](u64 page) -> Result<> {
        const std::byte *now = TRY(memory.page(page, buffer));
        const std::byte *before = present_.bytes(page);
        if (now == nullptr) {
            if (before != nullptr) present_.set(page, nullptr);
        } else if (before == nullptr || std::memcmp(before, now, kPageSize) != 0) {
            present_.set(page, std::make_shared<const KeptPage>(*kept_, now));
        }
        return {};
    }));
    return present_;
}

Result<> PageHistory::bring_back(PagedMemory &memory, const PageTable &then) {
    std::vector<u64> pages = collect(memory);
    present_.add_differences(then, pages);
    TRY(for_each_bit(pages, [&](u64 page) { return memory.set_page(page, then.bytes(page)); }));
    present_ = then;
    return {};
}

} // namespace tandem::machine::reverse
