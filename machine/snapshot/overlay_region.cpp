#include "machine/snapshot/overlay_region.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tandem::machine::snapshot {
namespace {

/// The last cluster of a disk may be cut off.
u64 length_of(const OverlayDisk &disk, u64 cluster) {
    return std::min<u64>(kPageSize, disk.size() - cluster * kPageSize);
}

} // namespace

std::vector<PageRange> OverlayRegion::ranges() const {
    std::vector<PageRange> ranges;
    for (u64 cluster = 0; cluster < disk_.cluster_count(); ++cluster) {
        if (!disk_.is_changed(cluster)) continue;
        if (!ranges.empty() && ranges.back().first + ranges.back().count == cluster)
            ++ranges.back().count;
        else
            ranges.push_back({cluster, 1});
    }
    return ranges;
}

const std::byte *OverlayRegion::page(u64 index, std::span<std::byte, kPageSize> buffer) const {
    const u64 length = length_of(disk_, index);
    std::ranges::fill(buffer.subspan(length), std::byte{0});
    return read_bytes(disk_, index * kPageSize, buffer.first(length)) ? buffer.data() : nullptr;
}

Result<> restore_overlay(const SnapshotFile &file, std::string_view name, OverlayDisk &disk) {
    const Region *region = file.find_region(name);
    if (region == nullptr || region->pages.size() != disk.cluster_count())
        return failure(
            fmt::format("{}: {} had another size when it was saved; give the machine the "
                        "disk it had",
                        file.path(), name));
    static constexpr std::array<std::byte, kPageSize> kZeros{};
    bool is_written = true;
    TRY(file.for_each_page(name, [&](u64 page, std::span<const std::byte> bytes) {
        if (bytes.empty()) bytes = kZeros;
        is_written = write_bytes(disk, page * kPageSize, bytes.first(length_of(disk, page)));
        return is_written;
    }));
    if (!is_written)
        return failure(fmt::format("{}: no room for what the guest changed on {}; set TMPDIR to a "
                                   "directory with room",
                                   file.path(), name));
    return {};
}

} // namespace tandem::machine::snapshot
