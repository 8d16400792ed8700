#include "machine/storage/qcow2/table_cache.h"

#include <algorithm>

namespace tandem::machine::qcow2 {

TableCache::TableCache(ByteFile &file, u64 cluster_size, u64 capacity)
    : file_(file), cluster_size_(cluster_size),
      max_tables_(static_cast<std::size_t>(std::clamp<u64>(capacity / cluster_size, 16, 4096))) {}

TablePtr TableCache::peek(u64 offset) {
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find(offset);
    if (found == tables_.end()) return nullptr;
    ages_.splice(ages_.end(), ages_, found->second.age);
    return found->second.table;
}

Result<TablePtr> TableCache::get(u64 offset) {
    if (TablePtr table = peek(offset)) return table;
    auto table = std::make_shared<Table>();
    table->offset = offset;
    table->bytes.resize(cluster_size_);
    // Without the mutex: other tables are not kept waiting.
    TRY(file_.read_exactly(offset, table->bytes));
    const std::lock_guard lock(mutex_);
    if (const auto found = tables_.find(offset); found != tables_.end()) return found->second.table;
    insert(table);
    return table;
}

void TableCache::insert(TablePtr table) {
    // Only what is clean and in nobody's hands: a holder may be about to change it.
    for (auto age = ages_.begin(); tables_.size() >= max_tables_ && age != ages_.end();) {
        const auto entry = tables_.find(*age);
        if (entry->second.table->is_dirty() || entry->second.table.use_count() > 1) {
            ++age;
            continue;
        }
        tables_.erase(entry);
        age = ages_.erase(age);
    }
    const u64 offset = table->offset;
    tables_.emplace(offset, Entry{std::move(table), ages_.insert(ages_.end(), offset)});
}

TablePtr TableCache::create(u64 offset, const Table *source) {
    drop(offset);
    auto table = std::make_shared<Table>();
    table->offset = offset;
    if (source != nullptr) {
        table->bytes = source->bytes;
    } else {
        table->bytes.resize(cluster_size_);
    }
    table->mark_dirty(0, cluster_size_);
    const std::lock_guard lock(mutex_);
    insert(table);
    return table;
}

void TableCache::drop(u64 offset) {
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find(offset);
    if (found == tables_.end()) return;
    ages_.erase(found->second.age);
    tables_.erase(found);
}

Result<> TableCache::write_dirty() {
    std::vector<TablePtr> dirty;
    {
        const std::lock_guard lock(mutex_);
        for (const auto &[offset, entry] : tables_)
            if (entry.table->is_dirty()) dirty.push_back(entry.table);
    }
    std::ranges::sort(dirty, {}, &Table::offset);
    for (const TablePtr &table : dirty) {
        // Whole sectors: what a medium writes at once.
        const u64 begin = align_down(table->dirty_begin, kSectorSize);
        const u64 end = align_up(table->dirty_end, kSectorSize);
        TRY(file_.write_exactly(table->offset + begin,
                                std::span(table->bytes).subspan(begin, end - begin)));
        table->dirty_begin = table->dirty_end = 0;
    }
    return {};
}

bool TableCache::any_dirty() const {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(tables_, [](const auto &e) { return e.second.table->is_dirty(); });
}

bool TableCache::is_crowded() const {
    const std::lock_guard lock(mutex_);
    if (tables_.size() < max_tables_) return false;
    const auto dirty =
        std::ranges::count_if(tables_, [](const auto &e) { return e.second.table->is_dirty(); });
    return static_cast<std::size_t>(dirty) * 2 > max_tables_;
}

void TableCache::clear() {
    const std::lock_guard lock(mutex_);
    tables_.clear();
    ages_.clear();
}

} // namespace tandem::machine::qcow2
