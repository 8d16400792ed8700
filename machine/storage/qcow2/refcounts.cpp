#include "machine/storage/qcow2/refcounts.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine::qcow2 {

namespace {
constexpr u64 kCacheBytes = 8u << 20;
}

u64 load_refcount(std::span<const std::byte> block, u64 index, unsigned order) {
    switch (order) {
    case 3: return static_cast<u64>(block[index]);
    case 4: return load_be<u16>(block.data() + index * 2);
    case 5: return load_be<u32>(block.data() + index * 4);
    case 6: return load_be<u64>(block.data() + index * 8);
    default: {
        // Below a byte the first number is in the low bits.
        const unsigned width = 1u << order, per_byte = 8 / width;
        const auto byte = static_cast<unsigned>(block[index / per_byte]);
        return byte >> (index % per_byte * width) & ones(width);
    }
    }
}

void store_refcount(std::span<std::byte> block, u64 index, unsigned order, u64 value) {
    switch (order) {
    case 3: block[index] = static_cast<std::byte>(value); break;
    case 4: store_be(block.data() + index * 2, static_cast<u16>(value)); break;
    case 5: store_be(block.data() + index * 4, static_cast<u32>(value)); break;
    case 6: store_be(block.data() + index * 8, value); break;
    default: {
        const unsigned width = 1u << order, per_byte = 8 / width;
        const unsigned low = static_cast<unsigned>(index % per_byte) * width;
        std::byte &byte = block[index / per_byte];
        byte =
            static_cast<std::byte>(with_bits(static_cast<u64>(byte), low + width - 1, low, value));
    }
    }
}

Refcounts::Refcounts(ByteFile &file, Header &header)
    : file_(file), header_(header), blocks_(file, header.cluster_size(), kCacheBytes),
      per_block_(header.refcounts_per_block()), max_(ones(header.refcount_bits())),
      fresh_from_(align_up(file.size(), header.cluster_size())) {}

std::unexpected<Error> Refcounts::corrupt(std::string_view what) const {
    saw_corruption_ = true;
    return failure(fmt::format("{}: damaged qcow2 image: {}; run: tandem image check --repair all",
                               file_.name(), what));
}

Result<> Refcounts::load() {
    std::vector<std::byte> bytes(u64{header_.refcount_table_clusters} << header_.cluster_bits);
    TRY(file_.read_exactly(header_.refcount_table_offset, bytes));
    table_.resize(bytes.size() / 8);
    for (u64 i = 0; i < table_.size(); ++i) {
        table_[i] = load_be<u64>(bytes.data() + i * 8);
        if (!is_aligned(table_[i], header_.cluster_size()) || table_[i] >= kMaxOffset)
            return corrupt("a refcount block is misplaced");
    }
    if (table_[0] == 0) return corrupt("the first refcount block is missing");
    return {};
}

Result<TablePtr> Refcounts::find_block(u64 cluster) {
    const u64 index = block_of(cluster);
    if (index >= table_.size() || table_[index] == 0) return TablePtr{};
    if (TablePtr block = blocks_.peek(table_[index])) return block;
    if (table_[index] >= file_.size()) return corrupt("a refcount block is beyond the file's end");
    return blocks_.get(table_[index]);
}

Result<TablePtr> Refcounts::make_block(u64 cluster) {
    if (TablePtr block = TRY(find_block(cluster))) return block;
    const u64 index = block_of(cluster);
    if (index >= table_.size()) TRY(grow_table(index + 1));
    if (table_[index] != 0) return find_block(cluster); // made while the table grew
    // Without a block all of its clusters are free: it lives in the first and counts itself.
    const u64 home = index * per_block_;
    const u64 offset = home << header_.cluster_bits;
    if (offset >= kMaxOffset)
        return failure(file_.name() + ": the image file has no room left; use larger clusters");
    TablePtr block = blocks_.create(offset);
    store_refcount(block->bytes, 0, header_.refcount_order, 1);
    set_table(index, offset);
    fresh_from_ = std::max(fresh_from_, offset + header_.cluster_size());
    return block;
}

void Refcounts::set_table(u64 index, u64 offset) {
    table_[index] = offset;
    table_dirty_begin_ = table_dirty_ ? std::min(table_dirty_begin_, index) : index;
    table_dirty_end_ = std::max(table_dirty_end_, index + 1);
    table_dirty_ = true;
}

Result<u64> Refcounts::extend(u64 clusters) {
    u64 blocks = 0;
    while (blocks * per_block_ < clusters + blocks) ++blocks;
    u64 index = 0;
    for (;;) {
        const auto last =
            std::find_if(table_.rbegin(), table_.rend(), [](u64 b) { return b != 0; });
        index = static_cast<u64>(table_.rend() - last);
        if (index + blocks <= table_.size()) break;
        TRY(grow_table(index + blocks)); // which may add blocks itself
    }
    const u64 first = index * per_block_;
    if ((first + blocks + clusters) << header_.cluster_bits >= kMaxOffset)
        return failure(file_.name() + ": the image file has no room left; use larger clusters");
    for (u64 i = 0; i < blocks; ++i) {
        const u64 offset = (first + i) << header_.cluster_bits;
        static_cast<void>(blocks_.create(offset));
        set_table(index + i, offset);
    }
    TRY(add(first << header_.cluster_bits, blocks << header_.cluster_bits));
    return first + blocks;
}

Result<> Refcounts::grow_table(u64 entries) {
    const u64 old_clusters = header_.refcount_table_clusters;
    const u64 per_cluster = header_.cluster_size() / 8;
    // Half as much again, so that moves get rarer; and the table's own clusters need blocks.
    const u64 clusters = (entries + entries / 2 + 8) / per_cluster + 1;
    if (clusters << header_.cluster_bits > kMaxRefcountTableBytes)
        return failure(file_.name() + ": the image file has no room left; use larger clusters");
    // In memory first: making room for the table may add blocks to it.
    table_.resize(clusters * per_cluster);
    table_dirty_ = true;
    table_dirty_begin_ = 0;
    table_dirty_end_ = table_.size();
    const u64 offset = TRY(allocate_contiguous(clusters));
    old_tables_.push_back({header_.refcount_table_offset, old_clusters, false});
    header_.refcount_table_offset = offset;
    header_.refcount_table_clusters = static_cast<u32>(clusters);
    table_moved_ = true;
    return {};
}

Result<u64> Refcounts::get(u64 offset) {
    const u64 cluster = offset >> header_.cluster_bits;
    const TablePtr block = TRY(find_block(cluster));
    if (block == nullptr) return u64{0};
    return load_refcount(block->bytes, cluster % per_block_, header_.refcount_order);
}

Result<> Refcounts::change(u64 offset, u64 bytes, bool up) {
    if (bytes == 0) return {};
    const u64 last = (offset + bytes - 1) >> header_.cluster_bits;
    u64 freed_begin = 0, freed_end = 0;
    const auto give_up = [&] {
        // Only a hint to the host; what it answers does not matter.
        if (freed_begin != freed_end)
            static_cast<void>(file_.punch_hole(freed_begin << header_.cluster_bits,
                                               (freed_end - freed_begin) << header_.cluster_bits));
    };
    for (u64 cluster = offset >> header_.cluster_bits; cluster <= last; ++cluster) {
        const TablePtr block = up ? TRY(make_block(cluster)) : TRY(find_block(cluster));
        if (block == nullptr) return corrupt("a cluster in use has no refcount");
        const u64 index = cluster % per_block_;
        const u64 old = load_refcount(block->bytes, index, header_.refcount_order);
        if (up && old == max_)
            return failure(fmt::format("{}: too many snapshots for refcounts of {} bits; delete "
                                       "some, or convert the image",
                                       file_.name(), header_.refcount_bits()));
        if (!up && old == 0) return corrupt("a cluster in use has refcount 0");
        store_refcount(block->bytes, index, header_.refcount_order, up ? old + 1 : old - 1);
        const u64 bit = index << header_.refcount_order;
        block->mark_dirty(bit / 8, (bit + header_.refcount_bits() - 1) / 8 + 1);
        if (!up && old == 1) {
            first_free_ = std::min(first_free_, cluster);
            if (packed_end_ >> header_.cluster_bits == cluster) packed_end_ = 0;
            if (freed_end != cluster) {
                give_up();
                freed_begin = cluster;
            }
            freed_end = cluster + 1;
        }
    }
    give_up();
    return {};
}

Result<> Refcounts::add(u64 offset, u64 bytes) {
    return change(offset, bytes, true);
}

Result<> Refcounts::subtract(u64 offset, u64 bytes) {
    return change(offset, bytes, false);
}

Result<u64> Refcounts::find_free(u64 from) {
    for (u64 cluster = from;;) {
        const TablePtr block = TRY(find_block(cluster));
        if (block == nullptr) return cluster;
        const u64 end = (block_of(cluster) + 1) * per_block_;
        for (; cluster < end; ++cluster)
            if (load_refcount(block->bytes, cluster % per_block_, header_.refcount_order) == 0)
                return cluster;
    }
}

Result<ClusterRun> Refcounts::allocate(u64 wanted) {
    for (;;) {
        const u64 first = TRY(find_free(first_free_));
        first_free_ = first;
        const TablePtr block = TRY(make_block(first));
        // The block may have moved into the very cluster.
        if (load_refcount(block->bytes, first % per_block_, header_.refcount_order) != 0) continue;
        const u64 end = std::min(first + wanted, (block_of(first) + 1) * per_block_);
        u64 last = first;
        while (last < end &&
               load_refcount(block->bytes, last % per_block_, header_.refcount_order) == 0)
            ++last;
        if (last << header_.cluster_bits >= kMaxOffset)
            return failure(file_.name() + ": the image file has no room left; use larger clusters");
        const ClusterRun run{first << header_.cluster_bits, last - first,
                             first << header_.cluster_bits >= fresh_from_};
        TRY(add(run.offset, run.clusters << header_.cluster_bits));
        first_free_ = last;
        fresh_from_ = std::max(fresh_from_, last << header_.cluster_bits);
        return run;
    }
}

Result<u64> Refcounts::allocate_contiguous(u64 clusters) {
    // For tables of many clusters, seldom: look for a gap that is long enough. There is none if
    // each block sits at the start of its clusters.
    const bool fits = clusters < per_block_;
    u64 first = fits ? TRY(find_free(first_free_)) : TRY(extend(clusters));
    while (fits) {
        u64 length = 0;
        while (length < clusters) {
            TRY(make_block(first + length));
            if (TRY(get((first + length) << header_.cluster_bits)) != 0) break;
            ++length;
        }
        if (length == clusters) break;
        first = TRY(find_free(first + length + 1));
    }
    if ((first + clusters) << header_.cluster_bits >= kMaxOffset)
        return failure(file_.name() + ": the image file has no room left; use larger clusters");
    const u64 offset = first << header_.cluster_bits;
    TRY(add(offset, clusters << header_.cluster_bits));
    fresh_from_ = std::max(fresh_from_, (first + clusters) << header_.cluster_bits);
    return offset;
}

Result<u64> Refcounts::allocate_bytes(u64 bytes) {
    const u64 cluster_size = header_.cluster_size();
    const u64 free = packed_end_ == 0 ? 0 : align_up(packed_end_, cluster_size) - packed_end_;
    u64 offset = packed_end_;
    if (free >= bytes && TRY(get(packed_end_)) < max_) {
        TRY(add(offset, bytes));
    } else {
        const u64 next = TRY(allocate(1)).offset;
        const bool adjoins =
            free != 0 && next == packed_end_ + free && TRY(get(packed_end_)) < max_;
        if (adjoins) {
            TRY(add(packed_end_, free));
        } else {
            offset = next;
        }
        // The entry has fewer bits for the place of compressed data.
        if (offset + bytes > u64{1} << (62 - (header_.cluster_bits - 8)))
            return failure(file_.name() + ": too large for compressed clusters; do not compress");
    }
    packed_end_ = offset + bytes;
    return offset;
}

Result<bool> Refcounts::write_table() {
    std::vector<std::byte> bytes((table_dirty_end_ - table_dirty_begin_) * 8);
    for (u64 i = table_dirty_begin_; i < table_dirty_end_; ++i)
        store_be(bytes.data() + (i - table_dirty_begin_) * 8, table_[i]);
    TRY(file_.write_exactly(header_.refcount_table_offset + table_dirty_begin_ * 8, bytes));
    table_dirty_ = false;
    table_dirty_begin_ = table_dirty_end_ = 0;
    return std::exchange(table_moved_, false);
}

std::vector<ClusterRun> Refcounts::take_old_tables() {
    return std::exchange(old_tables_, {});
}

} // namespace tandem::machine::qcow2
