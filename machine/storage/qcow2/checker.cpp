#include "machine/storage/qcow2/checker.h"

#include "machine/storage/qcow2/metadata.h"
#include "machine/storage/qcow2/snapshot_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine::qcow2 {
namespace {

constexpr std::size_t kMaxFindings = 100;
constexpr u64 kMaxClusters = u64{1} << 30; ///< of the file: what is counted in memory

class Checker {
public:
    Checker(ByteFile &file, const CheckProgress &progress) : file_(file), progress_(progress) {}

    Result<> load();
    /// Counts references and compares them with the numbers in the file.
    Result<> run();
    Result<> repair_leaks();
    Result<> rebuild();

    CheckReport report;

private:
    enum class Table : u8 { Active, Snapshot };

    void find(std::string text) {
        if (report.findings.size() < kMaxFindings) report.findings.push_back(std::move(text));
    }
    void error(std::string text) {
        ++report.errors;
        find(std::move(text));
    }
    [[nodiscard]] u64 cluster_size() const { return header_.cluster_size(); }
    /// False (and an error) if the range is not within the file.
    bool refer(u64 offset, u64 bytes, std::string_view what);
    Result<> count_all();
    Result<> walk_l1(u64 offset, u64 entries, Table);
    Result<> walk_l2(u64 offset, u64 index, Table);
    Result<> count_snapshots();
    Result<> count_bitmaps();
    void count_refcount_blocks();
    Result<> load_stored();
    void compare();
    /// Whether the flag of sole references says what the number does.
    void check_flag(u64 entry, std::string_view what);
    /// Entries that lead nowhere become empty.
    Result<> drop_bad_entries();

    ByteFile &file_;
    const CheckProgress &progress_;
    Header header_;
    std::vector<u64> refcount_table_;
    std::vector<u32> counted_;
    std::vector<u64> stored_;
    struct BadEntry {
        u64 at;      ///< in the file
        u64 instead; ///< to be written
    };
    std::vector<BadEntry> bad_entries_;
    bool counts_refcounts_ = true; ///< not while they are rebuilt
    bool blocks_overlap_ = false;
};

Result<> Checker::load() {
    std::vector<std::byte> head(std::min<u64>(file_.size(), u64{1} << kMaxClusterBits));
    TRY(file_.read_exactly(0, head));
    header_ = TRY(parse_header(head, file_.name()));
    const u64 clusters = align_up(file_.size(), cluster_size()) / cluster_size();
    if (clusters > kMaxClusters)
        return failure(fmt::format("{}: too large to be checked; convert it to larger clusters",
                                   file_.name()));
    counted_.assign(clusters, 0);
    report.clusters = (header_.size + cluster_size() - 1) / cluster_size();
    std::vector<std::byte> table(u64{header_.refcount_table_clusters} << header_.cluster_bits);
    TRY(file_.read_exactly(header_.refcount_table_offset, table));
    refcount_table_.resize(table.size() / 8);
    for (u64 i = 0; i < refcount_table_.size(); ++i)
        refcount_table_[i] = load_be<u64>(table.data() + i * 8);
    return {};
}

bool Checker::refer(u64 offset, u64 bytes, std::string_view what) {
    if (bytes == 0) return true;
    const u64 end = counted_.size() * cluster_size();
    if (offset >= end || bytes > end - offset) {
        error(fmt::format("{} at {:#x} is beyond the end of the file", what, offset));
        return false;
    }
    for (u64 i = offset >> header_.cluster_bits; i <= (offset + bytes - 1) >> header_.cluster_bits;
         ++i)
        if (counted_[i] != ~u32{0}) ++counted_[i];
    report.end = std::max(report.end, align_up(offset + bytes, cluster_size()));
    return true;
}

Result<> Checker::walk_l2(u64 offset, u64 index, Table table) {
    std::vector<std::byte> bytes(cluster_size());
    TRY(file_.read_exactly(offset, bytes));
    const unsigned entry_size = header_.l2_entry_size();
    u64 next = 0; ///< where the cluster would lie that follows the last
    for (u64 i = 0; i < header_.l2_entries(); ++i) {
        const u64 entry = load_be<u64>(bytes.data() + i * entry_size);
        const auto bad = [&](std::string_view why) {
            error(fmt::format("L2 table {:#x}, entry {}: {} ({:#x})", offset, i, why, entry));
            bad_entries_.push_back({offset + i * entry_size, 0});
        };
        const bool counts = table == Table::Active;
        if ((entry & kCompressed) != 0) {
            const CompressedExtent extent = compressed_extent(entry, header_.cluster_bits);
            // The last sector may be cut off by the end of the file.
            const u64 end = counted_.size() * cluster_size();
            const u64 length =
                extent.offset < end ? std::min(extent.length, end - extent.offset) : extent.length;
            if ((entry & kCopied) != 0) {
                bad("compressed data cannot be copied in place");
            } else if (!refer(extent.offset, length, "compressed data")) {
                bad_entries_.push_back({offset + i * entry_size, 0});
            } else if (counts) {
                ++report.allocated_clusters;
                ++report.compressed_clusters;
                ++report.fragmented_clusters; // as QEMU counts them
            }
            continue;
        }
        const u64 place = entry & kOffsetMask;
        if ((entry & kL2Reserved) != 0) {
            bad("reserved bits are set");
        } else if (!is_aligned(place, cluster_size())) {
            bad("data is not on a cluster boundary");
        } else if (place != 0) {
            if (!refer(place, cluster_size(), "data")) {
                bad_entries_.push_back({offset + i * entry_size, 0});
                continue;
            }
            if (!counts) continue;
            check_flag(entry, "data");
            if ((entry & kZero) != 0) continue;
            ++report.allocated_clusters;
            if (next != 0 && place != next) ++report.fragmented_clusters;
            next = place + cluster_size();
        }
    }
    if (progress_) progress_(index, header_.l1_entries);
    return {};
}

void Checker::check_flag(u64 entry, std::string_view what) {
    const u64 place = entry & kOffsetMask;
    const u64 cluster = place >> header_.cluster_bits;
    const u64 number = cluster < stored_.size() ? stored_[cluster] : 0;
    if ((number == 1) != ((entry & kCopied) != 0))
        error(fmt::format("{} at {:#x}: the sole-reference flag contradicts refcount {}", what,
                          place, number));
}

Result<> Checker::walk_l1(u64 offset, u64 entries, Table table) {
    if (entries == 0) return {};
    if (entries * 8 > kMaxL1Bytes || !is_aligned(offset, cluster_size()) ||
        !refer(offset, entries * 8, "an L1 table")) {
        error(fmt::format("an L1 table of {} entries at {:#x} is misplaced", entries, offset));
        return {};
    }
    std::vector<std::byte> bytes(entries * 8);
    TRY(file_.read_exactly(offset, bytes));
    for (u64 i = 0; i < entries; ++i) {
        const u64 entry = load_be<u64>(bytes.data() + i * 8);
        const u64 place = entry & kOffsetMask;
        if ((entry & kL1Reserved) != 0 || !is_aligned(place, cluster_size())) {
            error(fmt::format("L1 table {:#x}, entry {} is no place ({:#x})", offset, i, entry));
            bad_entries_.push_back({offset + i * 8, 0});
            continue;
        }
        if (place == 0) continue;
        if (!refer(place, cluster_size(), "an L2 table")) {
            bad_entries_.push_back({offset + i * 8, 0});
            continue;
        }
        if (table == Table::Active) check_flag(entry, "an L2 table");
        TRY(walk_l2(place, i, table));
    }
    return {};
}

Result<> Checker::count_snapshots() {
    if (header_.snapshots == 0) return {};
    const auto table = read_snapshot_table(file_, header_);
    if (!table.has_value()) {
        error(table.error().message);
        return {};
    }
    refer(header_.snapshots_offset, table->bytes, "the snapshot table");
    for (const Snapshot &snapshot : table->snapshots)
        TRY(walk_l1(snapshot.l1_offset, snapshot.l1_entries, Table::Snapshot));
    return {};
}

Result<> Checker::count_bitmaps() {
    if ((header_.autoclear & kBitmaps) == 0) return {};
    const auto found = std::ranges::find(header_.extensions, kExtensionBitmaps, &Extension::type);
    if (found == header_.extensions.end() || found->data.size() < 24) return {};
    const u64 directory_bytes = load_be<u64>(found->data.data() + 8);
    const u64 directory = load_be<u64>(found->data.data() + 16);
    if (directory_bytes > (u64{1} << 26) || !refer(directory, directory_bytes, "bitmaps"))
        return {};
    std::vector<std::byte> bytes(directory_bytes);
    TRY(file_.read_exactly(directory, bytes));
    for (u64 at = 0; at + 24 <= bytes.size();) {
        const u64 offset = load_be<u64>(bytes.data() + at);
        const u64 entries = load_be<u32>(bytes.data() + at + 8);
        const u64 name = load_be<u16>(bytes.data() + at + 18);
        const u64 extra = load_be<u32>(bytes.data() + at + 20);
        at += align_up(24 + name + extra, 8);
        if (entries > (u64{1} << 24) || !refer(offset, entries * 8, "a bitmap table")) continue;
        std::vector<std::byte> table(entries * 8);
        TRY(file_.read_exactly(offset, table));
        for (u64 i = 0; i < entries; ++i)
            if (const u64 place = load_be<u64>(table.data() + i * 8) & kOffsetMask; place != 0)
                refer(place, cluster_size(), "a bitmap");
    }
    return {};
}

void Checker::count_refcount_blocks() {
    refer(header_.refcount_table_offset,
          u64{header_.refcount_table_clusters} << header_.cluster_bits, "the refcount table");
    for (const u64 block : refcount_table_) {
        if (block == 0) continue;
        if (!is_aligned(block, cluster_size())) {
            error(fmt::format("a refcount block at {:#x} is misplaced", block));
        } else if (refer(block, cluster_size(), "a refcount block") &&
                   counted_[block >> header_.cluster_bits] > 1) {
            error(fmt::format("a refcount block at {:#x} overlaps something else", block));
            blocks_overlap_ = true;
        }
    }
}

Result<> Checker::load_stored() {
    const u64 per_block = header_.refcounts_per_block();
    stored_.assign(counted_.size(), 0);
    std::vector<std::byte> block(cluster_size());
    for (u64 i = 0; i < refcount_table_.size(); ++i) {
        const u64 place = refcount_table_[i];
        if (place == 0 || !is_aligned(place, cluster_size()) || place >= file_.size()) continue;
        TRY(file_.read_exactly(place, block));
        for (u64 k = 0; k < per_block; ++k) {
            const u64 value = load_refcount(block, k, header_.refcount_order);
            if (value == 0) continue;
            const u64 cluster = i * per_block + k;
            if (cluster >= stored_.size()) {
                // Free space beyond the end that is said to be in use.
                if (cluster >= kMaxClusters) break;
                stored_.resize(cluster + 1);
                counted_.resize(stored_.size());
            }
            stored_[cluster] = value;
        }
    }
    return {};
}

Result<> Checker::count_all() {
    refer(0, cluster_size(), "the header");
    if (counts_refcounts_) count_refcount_blocks();
    TRY(walk_l1(header_.l1_offset, header_.l1_entries, Table::Active));
    TRY(count_snapshots());
    return count_bitmaps();
}

void Checker::compare() {
    for (u64 i = 0; i < counted_.size(); ++i) {
        if (stored_[i] == counted_[i]) continue;
        if (stored_[i] < counted_[i]) {
            error(fmt::format("cluster {:#x}: {} references, refcount {}",
                              i << header_.cluster_bits, counted_[i], stored_[i]));
        } else {
            ++report.leaks;
            find(fmt::format("leaked cluster {:#x}: {} references, refcount {}",
                             i << header_.cluster_bits, counted_[i], stored_[i]));
        }
    }
}

Result<> Checker::run() {
    TRY(load());
    // References beyond the file's end are errors even where a refcount block covers them.
    TRY(load_stored());
    TRY(count_all());
    compare();
    return {};
}

Result<> Checker::repair_leaks() {
    Header header = header_;
    Refcounts refcounts(file_, header);
    TRY(refcounts.load());
    for (u64 i = 0; i < stored_.size(); ++i)
        for (u64 k = counted_[i]; k < stored_[i]; ++k)
            TRY(refcounts.subtract(i << header_.cluster_bits, 1));
    TRY(refcounts.write_blocks());
    TRY(file_.sync());
    report.repaired_leaks += std::exchange(report.leaks, 0);
    return {};
}

Result<> Checker::drop_bad_entries() {
    for (const BadEntry &bad : bad_entries_) {
        std::array<std::byte, 8> bytes;
        store_be(bytes.data(), bad.instead);
        TRY(file_.write_exactly(bad.at, bytes));
    }
    return file_.sync();
}

/// Counts anew without the old refcounts and writes new ones behind the end of the file, so that
/// nothing is overwritten that might be needed; then the header is switched over.
Result<> Checker::rebuild() {
    const u64 errors = report.errors, leaks = report.leaks;
    TRY(drop_bad_entries());
    Checker fresh(file_, progress_);
    TRY(fresh.load());
    fresh.counts_refcounts_ = false;
    TRY(fresh.count_all());

    std::vector<u32> &counts = fresh.counted_;
    const u64 per_block = header_.refcounts_per_block();
    const u64 first = counts.size(); // of the new clusters
    u64 blocks = 0, table_clusters = 0;
    for (;;) {
        const u64 total = first + blocks + table_clusters;
        const u64 need_blocks = (total + per_block - 1) / per_block;
        const u64 need_table = (need_blocks * 8 + cluster_size() - 1) / cluster_size();
        if (need_blocks == blocks && need_table == table_clusters) break;
        blocks = need_blocks;
        table_clusters = need_table;
    }
    counts.resize(first + blocks + table_clusters, 1);
    const u64 max = ones(header_.refcount_bits());
    std::vector<std::byte> table(table_clusters * cluster_size()), block(cluster_size());
    for (u64 i = 0; i < blocks; ++i) {
        std::ranges::fill(block, std::byte{0});
        for (u64 k = 0; k < per_block && i * per_block + k < counts.size(); ++k) {
            const u64 count = counts[i * per_block + k];
            if (count > max)
                return failure(fmt::format("{}: cluster {:#x} has more references than a refcount "
                                           "can hold; convert the image",
                                           file_.name(), (i * per_block + k) * cluster_size()));
            store_refcount(block, k, header_.refcount_order, count);
        }
        const u64 place = (first + i) << header_.cluster_bits;
        TRY(file_.write_exactly(place, block));
        store_be(table.data() + i * 8, place);
    }
    const u64 table_place = (first + blocks) << header_.cluster_bits;
    TRY(file_.write_exactly(table_place, table));
    TRY(file_.sync());

    Header header = fresh.header_;
    header.refcount_table_offset = table_place;
    header.refcount_table_clusters = static_cast<u32>(table_clusters);
    header.incompatible &= ~(kDirty | kCorrupt);
    TRY(file_.write_exactly(0, header_fields(header)));
    TRY(file_.sync());
    Metadata metadata(file_, header);
    TRY(metadata.load());
    TRY(metadata.update_copied_flags());

    Checker after(file_, progress_);
    TRY(after.run());
    report = std::move(after.report);
    report.repaired_errors = errors > report.errors ? errors - report.errors : 0;
    report.repaired_leaks = leaks;
    return {};
}

} // namespace

Result<CheckReport> check(ByteFile &file, Repair repair, const CheckProgress &progress) {
    Checker checker(file, progress);
    TRY(checker.run());
    if (repair == Repair::None) return std::move(checker.report);
    std::vector<std::byte> head(std::min<u64>(file.size(), u64{1} << kMaxClusterBits));
    TRY(file.read_exactly(0, head));
    const bool marked =
        (TRY(parse_header(head, file.name())).incompatible & (kDirty | kCorrupt)) != 0;
    if (repair == Repair::All && (checker.report.errors != 0 || marked)) {
        TRY(checker.rebuild());
    } else if (checker.report.leaks != 0 && checker.report.errors == 0) {
        TRY(checker.repair_leaks());
    }
    return std::move(checker.report);
}

} // namespace tandem::machine::qcow2
