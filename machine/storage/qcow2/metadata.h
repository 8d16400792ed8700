#pragma once
/// The map from the disk's clusters to the file's: header, L1 and L2 tables, refcounts; and the
/// order in which their changes reach the medium.
///
/// Changes stay in memory until commit(). It writes first what will be referred to (data and
/// refcounts), then the L2 tables, then L1, with a flush between the steps; clusters that lost
/// their last reference are free only after that. So whatever instant the power fails at, the file
/// is the image of the last commit or of this one, with clusters lost (leaked) at worst.
#include "machine/storage/qcow2/refcounts.h"

#include <atomic>
#include <memory>
#include <optional>

namespace tandem::machine::qcow2 {

enum class ClusterKind : u8 { Unallocated, Zero, Data, Compressed };

/// A stretch of the disk within one L2 table with the same kind of place.
struct Mapping {
    ClusterKind kind = ClusterKind::Unallocated;
    u64 length = 0;    ///< bytes of the disk
    u64 host = 0;      ///< Data: where they are in the file. Zero: where they may be put, or 0
    bool sole = false; ///< Data, Zero: nobody else refers to the place
    u64 entry = 0;     ///< Compressed: the L2 entry
};

class Metadata {
public:
    Metadata(ByteFile &file, Header header);

    [[nodiscard]] Result<> load();

    [[nodiscard]] const Header &header() const { return header_; }
    [[nodiscard]] ByteFile &file() { return file_; }
    [[nodiscard]] Refcounts &refcounts() { return refcounts_; }

    // Shared: any number of threads, but none of those below.
    /// What is at `offset`, up to `length` bytes; empty if that needs I/O and `may_wait` is false.
    [[nodiscard]] Result<std::optional<Mapping>> lookup(u64 offset, u64 length, bool may_wait);
    [[nodiscard]] bool is_dirty() const { return dirty_.load(std::memory_order_acquire); }

    // Exclusive: one thread, and none of those above.
    /// The L2 entry of the disk's cluster at `offset`, raw.
    [[nodiscard]] Result<u64> entry(u64 offset);
    /// Changes the entry; makes an L2 table, or a copy of a shared one, as needed.
    [[nodiscard]] Result<> set_entry(u64 offset, u64 entry);
    /// The entry's place loses a reference once a commit has made that last.
    void free_later(u64 entry);
    void free_later(u64 offset, u64 bytes);
    /// Writes all changes, in order, and flushes the file.
    [[nodiscard]] Result<> commit();
    /// commit() if so much has changed that it is time.
    [[nodiscard]] Result<> commit_if_crowded();

    [[nodiscard]] std::span<const u64> l1() const { return l1_; }
    /// Makes `l1` the active table, in a new place, and `size` that of the disk, in one step.
    /// The old table's place is freed. Commits.
    [[nodiscard]] Result<> replace_l1(std::vector<u64> l1, u64 size);
    /// Changes header fields and writes them, with a flush before and after. Commits.
    template <typename Change>
    [[nodiscard]] Result<> update_header(Change change) {
        TRY(commit());
        change(header_);
        return write_header();
    }
    /// Calls `visitor(offset, bytes)` for what the table refers to: L2 tables, data, compressed
    /// data; once for every reference.
    template <typename Visitor>
    [[nodiscard]] Result<> for_each_reference(std::span<const u64> l1, Visitor visitor) {
        for (const u64 l1_entry : l1) {
            if ((l1_entry & kOffsetMask) == 0) continue;
            const TablePtr table = TRY(l2_table(l1_entry & kOffsetMask, true));
            for (u64 i = 0; i < header_.l2_entries(); ++i) {
                const auto [offset, bytes] = place_of(l2_word(*table, i));
                if (bytes != 0) TRY(visitor(offset, bytes));
            }
            TRY(visitor(l1_entry & kOffsetMask, header_.cluster_size()));
            TRY(commit_if_crowded());
        }
        return {};
    }
    /// Sets the flag of sole references in the active tables from the refcounts.
    [[nodiscard]] Result<> update_copied_flags();
    /// An L1 table's bytes from the file, checked.
    [[nodiscard]] Result<std::vector<u64>> read_l1(u64 offset, u64 entries);
    [[nodiscard]] Result<u64> write_l1_copy(std::span<const u64> l1);
    /// The medium must not be written any more: sets the corrupt bit.
    void mark_corrupt();
    [[nodiscard]] bool is_corrupt() const { return header_.has(kCorrupt); }
    /// An operation has failed because of what the file says.
    [[nodiscard]] bool saw_corruption() const {
        return saw_corruption_.load(std::memory_order_relaxed) || refcounts_.saw_corruption();
    }
    /// Where metadata lives that data must not overlap.
    [[nodiscard]] bool is_metadata(u64 offset) const;

private:
    struct Place {
        u64 offset = 0, bytes = 0;
    };
    [[nodiscard]] Place place_of(u64 entry) const;
    [[nodiscard]] u64 l2_word(const Table &table, u64 index) const {
        return table.word(index * (header_.l2_entry_size() / 8));
    }
    [[nodiscard]] u64 l1_index(u64 offset) const { return offset / header_.l2_coverage(); }
    [[nodiscard]] u64 l2_index(u64 offset) const {
        return (offset >> header_.cluster_bits) % header_.l2_entries();
    }
    [[nodiscard]] Result<TablePtr> l2_table(u64 offset, bool may_wait);
    [[nodiscard]] Result<TablePtr> writable_l2(u64 l1_index);
    [[nodiscard]] Result<Mapping> map_subclusters(const Table &, u64 index, u64 offset,
                                                  u64 length) const;
    [[nodiscard]] Result<> check_entry(u64 entry) const;
    void set_l1(u64 index, u64 value);
    [[nodiscard]] Result<> write_l1();
    [[nodiscard]] Result<> write_header();
    [[nodiscard]] Result<> free_now();
    [[nodiscard]] std::unexpected<Error> corrupt(std::string_view what) const;
    void mark_dirty() { dirty_.store(true, std::memory_order_release); }

    ByteFile &file_;
    Header header_;
    Refcounts refcounts_;
    TableCache l2_;
    std::vector<u64> l1_;
    u64 l1_dirty_begin_ = 0, l1_dirty_end_ = 0; ///< entries
    std::vector<Place> freed_;                  ///< by changes not committed yet
    std::atomic<bool> dirty_ = false;           ///< a commit has something to do
    mutable std::atomic<bool> saw_corruption_ = false;
};

} // namespace tandem::machine::qcow2
