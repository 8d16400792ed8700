/// Internal snapshots: the administration part of Image.
#include "machine/storage/qcow2/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tandem::machine::qcow2 {

Result<std::vector<Snapshot>> Image::snapshots() {
    return TRY(read_snapshot_table(*file_, header())).snapshots;
}

Result<std::size_t> Image::find_snapshot(std::span<const Snapshot> snapshots,
                                         const std::string &name) const {
    for (const auto member : {&Snapshot::name, &Snapshot::id}) {
        const auto found = std::ranges::find(snapshots, name, member);
        if (found != snapshots.end()) return static_cast<std::size_t>(found - snapshots.begin());
    }
    return failure(fmt::format("{}: no snapshot '{}'; see: tandem image snapshot list {}",
                               file_->name(), name, file_->name()));
}

Result<> Image::replace_snapshots(std::vector<Snapshot> snapshots) {
    const std::vector<std::byte> bytes = snapshot_table_bytes(snapshots);
    const u64 old_place = header().snapshots_offset;
    const u64 old_bytes = TRY(read_snapshot_table(*file_, header())).bytes;
    u64 place = 0;
    if (!bytes.empty()) {
        const u64 clusters = align_up(bytes.size(), cluster_size()) / cluster_size();
        place = TRY(metadata_.refcounts().allocate_contiguous(clusters));
        // Before anything refers to it, and flushed by the commit before the header's change.
        TRY(file_->write_exactly(place, bytes));
    }
    TRY(metadata_.update_header([&](Header &header) {
        header.snapshots = static_cast<u32>(snapshots.size());
        header.snapshots_offset = place;
    }));
    if (old_bytes != 0) metadata_.free_later(old_place, align_up(old_bytes, cluster_size()));
    return {};
}

Result<> Image::create_snapshot(const std::string &name, u64 seconds, u32 nanoseconds) {
    if (name.empty() || name.size() > 255)
        return failure(fmt::format("{}: a snapshot needs a name of 1 to 255 bytes", file_->name()));
    std::vector<Snapshot> all = TRY(snapshots());
    if (std::ranges::find(all, name, &Snapshot::name) != all.end())
        return failure(fmt::format("{}: there is a snapshot '{}' already; use another name",
                                   file_->name(), name));
    if (all.size() >= kMaxSnapshots)
        return failure(fmt::format("{}: too many snapshots; delete some", file_->name()));
    u32 id = 0;
    for (const Snapshot &snapshot : all) {
        u32 number = 0;
        std::from_chars(snapshot.id.data(), snapshot.id.data() + snapshot.id.size(), number);
        id = std::max(id, number);
    }
    TRY(metadata_.commit());
    Snapshot snapshot;
    snapshot.l1_entries = static_cast<u32>(metadata_.l1().size());
    snapshot.l1_offset = TRY(metadata_.write_l1_copy(metadata_.l1()));
    snapshot.id = fmt::format("{}", id + 1);
    snapshot.name = name;
    snapshot.seconds = static_cast<u32>(seconds);
    snapshot.nanoseconds = nanoseconds;
    snapshot.disk_size = size();
    TRY(metadata_.for_each_reference(metadata_.l1(), [&](u64 offset, u64 bytes) {
        return metadata_.refcounts().add(offset, bytes);
    }));
    // On the medium before the snapshot is: a write in place would change it.
    TRY(metadata_.update_copied_flags());
    all.push_back(std::move(snapshot));
    TRY(replace_snapshots(std::move(all)));
    return metadata_.commit();
}

Result<> Image::apply_snapshot(const std::string &name) {
    const std::vector<Snapshot> all = TRY(snapshots());
    const Snapshot &snapshot = all[TRY(find_snapshot(all, name))];
    std::vector<u64> l1 = TRY(metadata_.read_l1(snapshot.l1_offset, snapshot.l1_entries));
    if (snapshot.disk_size % kSectorSize != 0 ||
        header().l1_entries_for(snapshot.disk_size) * 8 > kMaxL1Bytes)
        return failure(fmt::format("{}: damaged qcow2 image: the snapshot has an impossible size",
                                   file_->name()));
    l1.resize(std::max<u64>(l1.size(), header().l1_entries_for(snapshot.disk_size)));
    TRY(metadata_.commit());
    TRY(metadata_.for_each_reference(
        l1, [&](u64 offset, u64 bytes) { return metadata_.refcounts().add(offset, bytes); }));
    const std::vector<u64> old(metadata_.l1().begin(), metadata_.l1().end());
    TRY(metadata_.replace_l1(std::move(l1), snapshot.disk_size));
    TRY(metadata_.for_each_reference(old, [&](u64 offset, u64 bytes) {
        metadata_.free_later(offset, bytes);
        return Result<>{};
    }));
    TRY(metadata_.commit());
    return metadata_.update_copied_flags();
}

Result<> Image::delete_snapshot(const std::string &name) {
    std::vector<Snapshot> all = TRY(snapshots());
    const std::size_t index = TRY(find_snapshot(all, name));
    const Snapshot snapshot = all[index];
    const std::vector<u64> l1 = TRY(metadata_.read_l1(snapshot.l1_offset, snapshot.l1_entries));
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(index));
    TRY(replace_snapshots(std::move(all)));
    TRY(metadata_.for_each_reference(l1, [&](u64 offset, u64 bytes) {
        metadata_.free_later(offset, bytes);
        return Result<>{};
    }));
    metadata_.free_later(snapshot.l1_offset,
                         align_up(u64{snapshot.l1_entries} * 8, cluster_size()));
    TRY(metadata_.commit());
    return metadata_.update_copied_flags();
}

} // namespace tandem::machine::qcow2
