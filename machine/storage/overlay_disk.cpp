#include "machine/storage/overlay_disk.h"

#include "machine/storage/host_file.h"
#include "machine/storage/raw_disk.h"
#include "machine/storage/vectors.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

namespace tandem::machine {

OverlayDisk::OverlayDisk(std::unique_ptr<DiskStore> base, std::unique_ptr<DiskStore> changes)
    : base_(std::move(base)), changes_(std::move(changes)),
      changed_((base_->size() / kClusterSize + 64) / 64), written_(changed_.size()) {}

StoreStatus OverlayDisk::read(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    std::shared_lock lock(mutex_, std::defer_lock);
    if (may_wait) {
        lock.lock();
    } else if (!lock.try_lock()) {
        return StoreStatus::WouldBlock;
    }
    bool started = false;
    while (length != 0) {
        // A run of clusters with the same source is one access.
        const bool changed = is_changed(offset / kClusterSize);
        u64 end = align_down(offset, kClusterSize) + kClusterSize;
        while (end < offset + length && is_changed(end / kClusterSize) == changed)
            end += kClusterSize;
        const u64 count = std::min(end - offset, length);
        std::vector<iovec> part = first_bytes(vectors, count);
        DiskStore &source = changed ? *changes_ : *base_;
        const StoreStatus status = source.read(offset, count, part, may_wait || started);
        if (status != StoreStatus::Ok) return status;
        started = true;
        vectors = consume(vectors, count);
        offset += count;
        length -= count;
    }
    return StoreStatus::Ok;
}

StoreStatus OverlayDisk::copy_up(u64 cluster) {
    if (is_changed(cluster)) return StoreStatus::Ok;
    std::array<std::byte, kClusterSize> buffer{};
    const u64 offset = cluster * kClusterSize;
    const u64 count = std::min(kClusterSize, base_->size() - offset);
    iovec vector{buffer.data(), count};
    if (base_->read(offset, count, {&vector, 1}, true) != StoreStatus::Ok)
        return StoreStatus::Failed;
    vector = {buffer.data(), count};
    if (changes_->write(offset, count, {&vector, 1}) != StoreStatus::Ok) return StoreStatus::Failed;
    changed_[cluster / 64] |= u64{1} << (cluster % 64);
    return StoreStatus::Ok;
}

StoreStatus OverlayDisk::claim(u64 offset, u64 length) {
    const u64 end = offset + length;
    const u64 first = offset / kClusterSize;
    const u64 last = (end - 1) / kClusterSize;
    // Only clusters that are overwritten in part need their old bytes.
    if (offset % kClusterSize != 0 && copy_up(first) != StoreStatus::Ok) return StoreStatus::Failed;
    if (end % kClusterSize != 0 && copy_up(last) != StoreStatus::Ok) return StoreStatus::Failed;
    return StoreStatus::Ok;
}

void OverlayDisk::mark(u64 offset, u64 length) {
    for (u64 cluster = offset / kClusterSize; cluster <= (offset + length - 1) / kClusterSize;
         ++cluster) {
        changed_[cluster / 64] |= u64{1} << (cluster % 64);
        written_[cluster / 64] |= u64{1} << (cluster % 64);
    }
}

void OverlayDisk::forget_written() {
    const std::unique_lock lock(mutex_);
    std::ranges::fill(written_, 0);
}

void OverlayDisk::collect_written(std::span<u64> clusters) {
    const std::unique_lock lock(mutex_);
    for (std::size_t i = 0; i < std::min(clusters.size(), written_.size()); ++i)
        clusters[i] |= std::exchange(written_[i], 0);
}

StoreStatus OverlayDisk::set_cluster(u64 cluster, const std::byte *bytes) {
    const std::unique_lock lock(mutex_);
    const u64 mask = u64{1} << (cluster % 64);
    changed_[cluster / 64] &= ~mask;
    if (bytes == nullptr) return StoreStatus::Ok;
    const u64 offset = cluster * kClusterSize;
    iovec vector{const_cast<std::byte *>(bytes), std::min(kClusterSize, size() - offset)};
    changed_[cluster / 64] |= mask;
    return changes_->write(offset, vector.iov_len, {&vector, 1});
}

StoreStatus OverlayDisk::write(u64 offset, u64 length, std::span<iovec> vectors) {
    if (length == 0) return StoreStatus::Ok;
    const std::unique_lock lock(mutex_);
    if (claim(offset, length) != StoreStatus::Ok) return StoreStatus::Failed;
    if (changes_->write(offset, length, vectors) != StoreStatus::Ok) return StoreStatus::Failed;
    mark(offset, length);
    return StoreStatus::Ok;
}

StoreStatus OverlayDisk::write_zeroes(u64 offset, u64 length, bool may_unmap) {
    if (length == 0) return StoreStatus::Ok;
    const std::unique_lock lock(mutex_);
    if (claim(offset, length) != StoreStatus::Ok) return StoreStatus::Failed;
    const StoreStatus status = changes_->write_zeroes(offset, length, may_unmap);
    if (status != StoreStatus::Ok) return status;
    mark(offset, length);
    return StoreStatus::Ok;
}

void OverlayDisk::forget_changes() {
    for (std::size_t i = 0; i < changed_.size(); ++i) written_[i] |= std::exchange(changed_[i], 0);
    static_cast<void>(changes_->discard(0, changes_->size())); // only room is at stake
}

Extent OverlayDisk::extent(u64 offset, u64 length) {
    const std::shared_lock lock(mutex_);
    const bool changed = is_changed(offset / kClusterSize);
    u64 end = align_down(offset, kClusterSize) + kClusterSize;
    while (end < offset + length && is_changed(end / kClusterSize) == changed) end += kClusterSize;
    return (changed ? *changes_ : *base_).extent(offset, std::min(end - offset, length));
}

Result<std::unique_ptr<OverlayDisk>> OverlayDisk::create(std::unique_ptr<DiskStore> base) {
    auto changes = std::make_unique<RawDisk>(TRY(HostFile::create_temporary(base->size())),
                                             FormatSource::Named);
    return std::make_unique<OverlayDisk>(std::move(base), std::move(changes));
}

} // namespace tandem::machine
