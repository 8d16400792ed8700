#pragma once
/// L2 tables or refcount blocks in memory, with the changes not written yet.
///
/// Tables may be looked up by several threads; they are changed only by one that excludes all
/// others (the image's gate), so that whoever holds a table reads it without a lock.
#include "machine/storage/byte_file.h"
#include "machine/storage/qcow2/format.h"

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace tandem::machine::qcow2 {

/// One cluster of metadata.
struct Table {
    u64 offset = 0; ///< in the file
    std::vector<std::byte> bytes;
    u64 dirty_begin = 0, dirty_end = 0; ///< bytes to be written; equal: none

    [[nodiscard]] bool is_dirty() const { return dirty_begin != dirty_end; }
    void mark_dirty(u64 begin, u64 end) {
        dirty_begin = is_dirty() ? std::min(dirty_begin, begin) : begin;
        dirty_end = std::max(dirty_end, end);
    }
    [[nodiscard]] u64 word(u64 index) const { return load_be<u64>(bytes.data() + index * 8); }
    void set_word(u64 index, u64 value) {
        store_be(bytes.data() + index * 8, value);
        mark_dirty(index * 8, index * 8 + 8);
    }
};
using TablePtr = std::shared_ptr<Table>;

class TableCache {
public:
    /// Keeps about `capacity` bytes of clean tables; dirty ones stay until written.
    TableCache(ByteFile &file, u64 cluster_size, u64 capacity);

    /// Reads the table if it is not here.
    [[nodiscard]] Result<TablePtr> get(u64 offset);
    /// Null if the table is not in memory.
    [[nodiscard]] TablePtr peek(u64 offset);
    // The rest excludes every other thread.
    /// A new table of zeros (or a copy of `source`), all of it dirty.
    [[nodiscard]] TablePtr create(u64 offset, const Table *source = nullptr);
    /// Forgets the table, changes and all.
    void drop(u64 offset);
    /// Writes what is dirty; the tables stay dirty if that fails. No flush.
    [[nodiscard]] Result<> write_dirty();
    [[nodiscard]] bool any_dirty() const;
    /// So many that it is time to write them.
    [[nodiscard]] bool is_crowded() const;
    void clear();

private:
    struct Entry {
        TablePtr table;
        std::list<u64>::iterator age;
    };
    void insert(TablePtr); ///< the mutex is held

    ByteFile &file_;
    u64 cluster_size_;
    std::size_t max_tables_;
    mutable std::mutex mutex_; ///< guards the containers, not the tables
    std::unordered_map<u64, Entry> tables_;
    std::list<u64> ages_; ///< least recently used first
};

} // namespace tandem::machine::qcow2
