#pragma once
/// What a guest changed on a disk that is used as a snapshot (machine/storage/overlay_disk.h), by
/// pages: a cluster of the overlay is one.
#include "machine/snapshot/paged_region.h"
#include "machine/snapshot/snapshot_file.h"
#include "machine/storage/overlay_disk.h"

namespace tandem::machine::snapshot {

static_assert(OverlayDisk::kClusterSize == kPageSize);

class OverlayRegion final : public PagedRegion {
public:
    OverlayRegion(std::string name, OverlayDisk &disk) : name_(std::move(name)), disk_(disk) {}
    std::string name() const override { return name_; }
    u64 page_count() const override { return disk_.cluster_count(); }
    std::vector<PageRange> ranges() const override;
    u32 elsewhere() const override { return kPageAbsent; }
    const std::byte *page(u64 index, std::span<std::byte, kPageSize> buffer) const override;

private:
    std::string name_;
    OverlayDisk &disk_;
};

/// Writes the changes to an overlay that has none.
[[nodiscard]] Result<> restore_overlay(const SnapshotFile &, std::string_view name, OverlayDisk &);

} // namespace tandem::machine::snapshot
