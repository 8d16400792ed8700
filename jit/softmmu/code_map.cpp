#include "jit/softmmu/code_map.h"

namespace tandem::jit {

/// Open addressing; at most half full.
struct CodeMap::Table {
    explicit Table(unsigned size_log2)
        : shift(64 - size_log2), slots(std::size_t{1} << size_log2) {}

    [[nodiscard]] std::size_t first(u64 page) const {
        return static_cast<std::size_t>(((page >> 12) * 0x9e3779b97f4a7c15) >> shift);
    }
    void insert(CodePage *page) {
        std::size_t i = first(page->physical_page);
        while (slots[i].load(std::memory_order_relaxed) != nullptr)
            i = (i + 1) & (slots.size() - 1);
        slots[i].store(page, std::memory_order_release);
    }

    unsigned shift;
    std::vector<std::atomic<CodePage *>> slots;
};

CodeMap::CodeMap() {
    tables_.push_back(std::make_unique<Table>(12));
    table_.store(tables_.back().get());
}
CodeMap::~CodeMap() = default;

CodePage *CodeMap::find(u64 physical_page) const {
    const Table &table = *table_.load(std::memory_order_acquire);
    for (std::size_t i = table.first(physical_page);; i = (i + 1) & (table.slots.size() - 1)) {
        CodePage *page = table.slots[i].load(std::memory_order_acquire);
        if (page == nullptr || page->physical_page == physical_page) return page;
    }
}

CodePage &CodeMap::get(u64 physical_page) {
    if (CodePage *page = find(physical_page)) return *page;
    const std::lock_guard guard(mutex_);
    if (CodePage *page = find(physical_page)) return *page;
    pages_.push_back(std::make_unique<CodePage>(physical_page));
    CodePage &page = *pages_.back();
    if (pages_.size() * 2 > tables_.back()->slots.size()) {
        auto bigger = std::make_unique<Table>(64 - tables_.back()->shift + 1);
        for (const auto &each : pages_) bigger->insert(each.get());
        tables_.push_back(std::move(bigger));
        table_.store(tables_.back().get(), std::memory_order_release);
    } else {
        tables_.back()->insert(&page);
    }
    return page;
}

} // namespace tandem::jit
