#pragma once
/// How often each cluster of the file is referred to, and which are free. Excludes other threads.
#include "machine/storage/qcow2/header.h"
#include "machine/storage/qcow2/table_cache.h"

namespace tandem::machine::qcow2 {

/// Clusters side by side.
struct ClusterRun {
    u64 offset = 0, clusters = 0;
    /// Nothing was ever written there: they read as zeros.
    bool fresh = false;
};

/// One number of a refcount block.
[[nodiscard]] u64 load_refcount(std::span<const std::byte> block, u64 index, unsigned order);
void store_refcount(std::span<std::byte> block, u64 index, unsigned order, u64 value);

class Refcounts {
public:
    /// The header's place of the table follows when the table moves.
    Refcounts(ByteFile &file, Header &header);

    [[nodiscard]] Result<> load();

    /// Of the cluster at this offset.
    [[nodiscard]] Result<u64> get(u64 offset);
    /// One more reference to every cluster that the range touches.
    [[nodiscard]] Result<> add(u64 offset, u64 bytes);
    /// One less; clusters nobody refers to any more are free at once, and their bytes given up.
    [[nodiscard]] Result<> subtract(u64 offset, u64 bytes);

    /// 1 to `wanted` free clusters side by side, now referred to once.
    [[nodiscard]] Result<ClusterRun> allocate(u64 wanted);
    /// Exactly this many.
    [[nodiscard]] Result<u64> allocate_contiguous(u64 clusters);
    /// Room for compressed data, packed behind what was given before.
    [[nodiscard]] Result<u64> allocate_bytes(u64 bytes);

    [[nodiscard]] bool is_dirty() const { return table_dirty_ || blocks_.any_dirty(); }
    [[nodiscard]] bool is_crowded() const { return blocks_.is_crowded(); }
    /// The blocks, without a flush.
    [[nodiscard]] Result<> write_blocks() { return blocks_.write_dirty(); }
    /// The table, after the blocks are on the medium. True: it has moved, the header must follow.
    [[nodiscard]] bool table_is_dirty() const { return table_dirty_; }
    [[nodiscard]] Result<bool> write_table();
    /// The table's old places, to be freed once the header is written.
    [[nodiscard]] std::vector<ClusterRun> take_old_tables();

    [[nodiscard]] std::span<const u64> table() const { return table_; }
    /// Something failed because of what the file says.
    [[nodiscard]] bool saw_corruption() const { return saw_corruption_; }

private:
    [[nodiscard]] u64 block_of(u64 cluster) const { return cluster / per_block_; }
    /// The block of the cluster, or null if there is none: all its clusters are free.
    [[nodiscard]] Result<TablePtr> find_block(u64 cluster);
    [[nodiscard]] Result<TablePtr> make_block(u64 cluster);
    [[nodiscard]] Result<> grow_table(u64 entries);
    /// New blocks side by side behind all others, and room for so many clusters behind them.
    [[nodiscard]] Result<u64> extend(u64 clusters);
    void set_table(u64 index, u64 offset);
    [[nodiscard]] Result<u64> find_free(u64 from);
    [[nodiscard]] Result<> change(u64 offset, u64 bytes, bool up);
    [[nodiscard]] std::unexpected<Error> corrupt(std::string_view what) const;

    ByteFile &file_;
    Header &header_;
    TableCache blocks_;
    std::vector<u64> table_;                          ///< offsets of the blocks
    u64 table_dirty_begin_ = 0, table_dirty_end_ = 0; ///< entries
    bool table_dirty_ = false, table_moved_ = false;
    std::vector<ClusterRun> old_tables_;
    u64 per_block_;
    u64 max_;            ///< the largest number that fits
    u64 first_free_ = 0; ///< no cluster below is free
    u64 fresh_from_ = 0; ///< clusters from here on were never written
    mutable bool saw_corruption_ = false;
    u64 packed_end_ = 0; ///< where the last compressed data ended; 0: nowhere
};

} // namespace tandem::machine::qcow2
