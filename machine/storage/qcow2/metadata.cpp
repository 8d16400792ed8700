#include "machine/storage/qcow2/metadata.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine::qcow2 {

namespace {
constexpr u64 kL2CacheBytes = 32u << 20;
/// Freed clusters that wait for a commit, at most.
constexpr std::size_t kMaxFreed = 16384;
} // namespace

Metadata::Metadata(ByteFile &file, Header header)
    : file_(file), header_(std::move(header)), refcounts_(file, header_),
      l2_(file, header_.cluster_size(), kL2CacheBytes) {}

std::unexpected<Error> Metadata::corrupt(std::string_view what) const {
    saw_corruption_.store(true, std::memory_order_relaxed);
    return failure(fmt::format("{}: damaged qcow2 image: {}; run: tandem image check --repair all",
                               file_.name(), what));
}

Result<std::vector<u64>> Metadata::read_l1(u64 offset, u64 entries) {
    if (entries * 8 > kMaxL1Bytes || !is_aligned(offset, header_.cluster_size()) ||
        offset >= kMaxOffset)
        return corrupt("an L1 table is misplaced or too large");
    std::vector<std::byte> bytes(entries * 8);
    if (!bytes.empty()) TRY(file_.read_exactly(offset, bytes));
    std::vector<u64> l1(entries);
    for (u64 i = 0; i < entries; ++i) {
        l1[i] = load_be<u64>(bytes.data() + i * 8);
        if ((l1[i] & kL1Reserved) != 0 || !is_aligned(l1[i] & kOffsetMask, header_.cluster_size()))
            return corrupt(fmt::format("entry {} of an L1 table is no place of an L2 table", i));
    }
    return l1;
}

Result<> Metadata::load() {
    l1_ = TRY(read_l1(header_.l1_offset, header_.l1_entries));
    if (file_.writable()) TRY(refcounts_.load());
    return {};
}

// --------------------------------------------------------------------------------------- reading

Result<TablePtr> Metadata::l2_table(u64 offset, bool may_wait) {
    if (TablePtr table = l2_.peek(offset)) return table;
    if (!may_wait) return TablePtr{};
    if (offset >= file_.size()) return corrupt("an L2 table is beyond the file's end");
    return l2_.get(offset);
}

Result<> Metadata::check_entry(u64 entry) const {
    if ((entry & kCompressed) != 0) return {};
    if ((entry & kL2Reserved) != 0 || !is_aligned(entry & kOffsetMask, header_.cluster_size()) ||
        ((entry & kZero) != 0 && (header_.version < 3 || header_.has(kExtendedL2))))
        return corrupt(fmt::format("an L2 entry is no place of data: {:#x}", entry));
    return {};
}

Result<std::optional<Mapping>> Metadata::lookup(u64 offset, u64 length, bool may_wait) {
    const u64 l1_entry = l1_[l1_index(offset)];
    const u64 index = l2_index(offset);
    const u64 within = offset % header_.cluster_size();
    length = std::min(length, (header_.l2_entries() - index) * header_.cluster_size() - within);
    if ((l1_entry & kOffsetMask) == 0)
        return std::optional<Mapping>{{ClusterKind::Unallocated, length}};
    const TablePtr table = TRY(l2_table(l1_entry & kOffsetMask, may_wait));
    if (table == nullptr) return std::optional<Mapping>{};
    if (header_.has(kExtendedL2)) {
        Mapping mapping = TRY(map_subclusters(*table, index, offset, length));
        return std::optional<Mapping>{mapping};
    }

    const u64 first = l2_word(*table, index);
    TRY(check_entry(first));
    Mapping mapping;
    const u64 place = first & kOffsetMask;
    if ((first & kCompressed) != 0) {
        return std::optional<Mapping>{{ClusterKind::Compressed,
                                       std::min(length, header_.cluster_size() - within), 0, false,
                                       first}};
    }
    // An L2 table that is shared is copied before it changes, so what it maps is not ours alone.
    const bool sole = (first & kCopied) != 0 && (l1_entry & kCopied) != 0;
    if ((first & kZero) != 0) {
        mapping = {ClusterKind::Zero, 0, place, sole && place != 0};
    } else if (place != 0) {
        if (is_metadata(place)) return corrupt("data overlaps metadata");
        mapping = {ClusterKind::Data, 0, place + within, sole};
    }
    const u64 step =
        mapping.kind == ClusterKind::Data || mapping.host != 0 ? header_.cluster_size() : 0;
    mapping.length = header_.cluster_size() - within;
    for (u64 i = index + 1; mapping.length < length; ++i) {
        const u64 expected = first + step * (i - index);
        if (l2_word(*table, i) != expected) break;
        if (mapping.kind == ClusterKind::Data && is_metadata(expected & kOffsetMask)) break;
        mapping.length += header_.cluster_size();
    }
    mapping.length = std::min(mapping.length, length);
    return std::optional<Mapping>{mapping};
}

Result<Mapping> Metadata::map_subclusters(const Table &table, u64 index, u64 offset,
                                          u64 length) const {
    const u64 entry = table.word(index * 2), bitmap = table.word(index * 2 + 1);
    TRY(check_entry(entry));
    const u64 within = offset % header_.cluster_size();
    if ((entry & kCompressed) != 0)
        return Mapping{ClusterKind::Compressed, std::min(length, header_.cluster_size() - within),
                       0, false, entry};
    const u64 subcluster_size = header_.cluster_size() / kSubclusters;
    const u64 place = entry & kOffsetMask;
    const auto kind_of = [&](u64 subcluster) {
        const bool allocated = bit(bitmap, static_cast<unsigned>(subcluster));
        const bool zero = bit(bitmap, static_cast<unsigned>(subcluster) + 32);
        if (zero) return ClusterKind::Zero;
        return allocated ? ClusterKind::Data : ClusterKind::Unallocated;
    };
    // Both bits of a subcluster, or data without a place, mean nothing.
    if ((bitmap & ones(32) & bitmap >> 32) != 0 || (place == 0 && (bitmap & ones(32)) != 0))
        return corrupt("an extended L2 entry contradicts itself");
    const u64 first = within / subcluster_size;
    u64 end = first + 1;
    while (end < kSubclusters && kind_of(end) == kind_of(first)) ++end;
    const u64 count = std::min(length, end * subcluster_size - within);
    const ClusterKind kind = kind_of(first);
    return Mapping{kind, count, kind == ClusterKind::Data ? place + within : 0};
}

bool Metadata::is_metadata(u64 offset) const {
    const auto within = [&](u64 begin, u64 bytes) {
        return offset >= begin && offset - begin < align_up(bytes, header_.cluster_size());
    };
    return offset < header_.cluster_size() || within(header_.l1_offset, l1_.size() * 8) ||
           within(header_.refcount_table_offset,
                  u64{header_.refcount_table_clusters} << header_.cluster_bits) ||
           (header_.snapshots != 0 && within(header_.snapshots_offset, 1));
}

// -------------------------------------------------------------------------------------- changing

Metadata::Place Metadata::place_of(u64 entry) const {
    if ((entry & kCompressed) != 0) {
        const CompressedExtent extent = compressed_extent(entry, header_.cluster_bits);
        return {extent.offset, extent.length};
    }
    const u64 offset = entry & kOffsetMask;
    return {offset, offset == 0 ? 0 : header_.cluster_size()};
}

void Metadata::set_l1(u64 index, u64 value) {
    l1_[index] = value;
    const bool clean = l1_dirty_begin_ == l1_dirty_end_;
    l1_dirty_begin_ = clean ? index : std::min(l1_dirty_begin_, index);
    l1_dirty_end_ = clean ? index + 1 : std::max(l1_dirty_end_, index + 1);
    mark_dirty();
}

Result<u64> Metadata::entry(u64 offset) {
    const u64 l1_entry = l1_[l1_index(offset)];
    if ((l1_entry & kOffsetMask) == 0) return u64{0};
    const TablePtr table = TRY(l2_table(l1_entry & kOffsetMask, true));
    const u64 entry = l2_word(*table, l2_index(offset));
    TRY(check_entry(entry));
    if ((entry & kCompressed) == 0 && (entry & kOffsetMask) != 0 &&
        is_metadata(entry & kOffsetMask))
        return corrupt("data overlaps metadata");
    // The flag in a shared table is of no use to whoever writes.
    return (l1_entry & kCopied) != 0 ? entry : entry & ~kCopied;
}

Result<TablePtr> Metadata::writable_l2(u64 index) {
    const u64 old = l1_[index];
    const u64 old_place = old & kOffsetMask;
    if (old_place != 0 && (old & kCopied) != 0) return l2_table(old_place, true);
    TablePtr source;
    if (old_place != 0) source = TRY(l2_table(old_place, true));
    const u64 place = TRY(refcounts_.allocate(1)).offset;
    TablePtr table = l2_.create(place, source.get());
    set_l1(index, place | kCopied);
    if (old_place != 0) free_later(old_place, header_.cluster_size());
    return table;
}

Result<> Metadata::set_entry(u64 offset, u64 entry) {
    const TablePtr table = TRY(writable_l2(l1_index(offset)));
    table->set_word(l2_index(offset), entry);
    mark_dirty();
    return {};
}

void Metadata::free_later(u64 offset, u64 bytes) {
    if (bytes == 0) return;
    mark_dirty();
    if (!freed_.empty() && is_aligned(offset | bytes, header_.cluster_size()) &&
        freed_.back().offset + freed_.back().bytes == offset &&
        is_aligned(freed_.back().offset, header_.cluster_size())) {
        freed_.back().bytes += bytes;
        return;
    }
    freed_.push_back({offset, bytes});
}

void Metadata::free_later(u64 entry) {
    const auto [offset, bytes] = place_of(entry);
    free_later(offset, bytes);
}

// ----------------------------------------------------------------------------------- the medium

Result<> Metadata::write_header() {
    // Autoclear features describe data kept by programs that know them; this one has changed the
    // image without (the format's rule for who writes).
    header_.autoclear = 0;
    TRY(file_.write_exactly(0, header_fields(header_)));
    return file_.sync();
}

Result<> Metadata::write_l1() {
    const u64 count = l1_dirty_end_ - l1_dirty_begin_;
    std::vector<std::byte> bytes(count * 8);
    for (u64 i = 0; i < count; ++i) store_be(bytes.data() + i * 8, l1_[l1_dirty_begin_ + i]);
    TRY(file_.write_exactly(header_.l1_offset + l1_dirty_begin_ * 8, bytes));
    l1_dirty_begin_ = l1_dirty_end_ = 0;
    return {};
}

Result<> Metadata::free_now() {
    while (!freed_.empty()) {
        const auto [offset, bytes] = freed_.back();
        TRY(refcounts_.subtract(offset, bytes));
        freed_.pop_back();
    }
    return {};
}

Result<> Metadata::commit() {
    if (!is_dirty() && !refcounts_.is_dirty()) return file_.sync();
    if (header_.autoclear != 0) TRY(write_header());
    // What the tables are going to refer to.
    TRY(refcounts_.write_blocks());
    TRY(file_.sync());
    if (refcounts_.table_is_dirty()) {
        const bool moved = TRY(refcounts_.write_table());
        TRY(file_.sync());
        if (moved) {
            TRY(write_header());
            for (const ClusterRun &run : refcounts_.take_old_tables())
                free_later(run.offset, run.clusters << header_.cluster_bits);
        }
    }
    if (l2_.any_dirty()) {
        TRY(l2_.write_dirty());
        TRY(file_.sync());
    }
    if (l1_dirty_begin_ != l1_dirty_end_) {
        TRY(write_l1());
        TRY(file_.sync());
    }
    // Nothing on the medium refers to these any more. If the power fails before their numbers
    // are written they are lost until a repair, no worse.
    TRY(free_now());
    TRY(refcounts_.write_blocks());
    dirty_.store(refcounts_.is_dirty() || l2_.any_dirty(), std::memory_order_release);
    return {};
}

Result<> Metadata::commit_if_crowded() {
    if (l2_.is_crowded() || refcounts_.is_crowded() || freed_.size() >= kMaxFreed) return commit();
    return {};
}

Result<u64> Metadata::write_l1_copy(std::span<const u64> l1) {
    if (l1.empty()) return u64{0};
    const u64 bytes = align_up(l1.size() * 8, header_.cluster_size());
    const u64 place = TRY(refcounts_.allocate_contiguous(bytes >> header_.cluster_bits));
    mark_dirty();
    std::vector<std::byte> table(bytes);
    for (u64 i = 0; i < l1.size(); ++i) store_be(table.data() + i * 8, l1[i] & ~kCopied);
    TRY(file_.write_exactly(place, table));
    return place;
}

Result<> Metadata::replace_l1(std::vector<u64> l1, u64 size) {
    const u64 place = TRY(write_l1_copy(l1));
    const u64 old_place = header_.l1_offset, old_bytes = u64{header_.l1_entries} * 8;
    TRY(update_header([&](Header &header) {
        header.l1_offset = place;
        header.l1_entries = static_cast<u32>(l1.size());
        header.size = size;
    }));
    l1_ = std::move(l1);
    for (u64 &entry : l1_) entry &= ~kCopied; // as written
    free_later(old_place, align_up(old_bytes, header_.cluster_size()));
    return update_copied_flags();
}

Result<> Metadata::update_copied_flags() {
    for (u64 i = 0; i < l1_.size(); ++i) {
        const u64 place = l1_[i] & kOffsetMask;
        if (place == 0) continue;
        const u64 l1_entry = place | (TRY(refcounts_.get(place)) == 1 ? kCopied : 0);
        if (l1_entry != l1_[i]) set_l1(i, l1_entry);
        const TablePtr table = TRY(l2_table(place, true));
        for (u64 k = 0; k < header_.l2_entries(); ++k) {
            const u64 old = l2_word(*table, k);
            if ((old & kCompressed) != 0 || (old & kOffsetMask) == 0) continue;
            const bool sole = TRY(refcounts_.get(old & kOffsetMask)) == 1;
            const u64 entry = (old & ~kCopied) | (sole ? kCopied : 0);
            if (entry == old) continue;
            table->set_word(k, entry);
            mark_dirty();
        }
        TRY(commit_if_crowded());
    }
    return commit();
}

void Metadata::mark_corrupt() {
    if (header_.version < 3 || header_.has(kCorrupt) || !file_.writable()) return;
    header_.incompatible |= kCorrupt;
    static_cast<void>(file_.write_exactly(0, header_fields(header_)));
}

} // namespace tandem::machine::qcow2
