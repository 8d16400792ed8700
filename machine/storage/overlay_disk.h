#pragma once
/// Copy-on-write on a disk that is only read: changed clusters live in a sparse temporary file.
#include "machine/storage/disk_store.h"

#include <shared_mutex>
#include <vector>

namespace tandem::machine {

class OverlayDisk final : public DiskStore {
public:
    static constexpr u64 kClusterSize = 4096;

    /// Writes go to an unnamed temporary file; `base` is only read.
    [[nodiscard]] static Result<std::unique_ptr<OverlayDisk>>
    create(std::unique_ptr<DiskStore> base);
    OverlayDisk(std::unique_ptr<DiskStore> base, std::unique_ptr<DiskStore> changes);

    u64 size() const override { return base_->size(); }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool may_wait) override;
    StoreStatus write(u64 offset, u64 length, std::span<iovec>) override;
    StoreStatus flush() override { return StoreStatus::Ok; } // nothing outlives the machine
    StoreStatus discard(u64, u64) override { return StoreStatus::Ok; }
    StoreStatus write_zeroes(u64 offset, u64 length, bool may_unmap) override;
    Extent extent(u64 offset, u64 length) override;

    // While nobody else uses the disk.
    /// As it was when it was made.
    void forget_changes();
    [[nodiscard]] u64 cluster_count() const { return (size() + kClusterSize - 1) / kClusterSize; }
    [[nodiscard]] bool is_changed(u64 cluster) const {
        return bit(changed_[cluster / 64], cluster % 64);
    }
    /// Whatever was written until now is not for collect_written().
    void forget_written();
    /// Sets a bit for each cluster written since the last call.
    void collect_written(std::span<u64> clusters);
    /// Makes a cluster hold these bytes, or (null) what lies below; it does not count as written.
    [[nodiscard]] StoreStatus set_cluster(u64 cluster, const std::byte *bytes);

private:
    /// Copies the cluster from the base unless it is changed already.
    [[nodiscard]] StoreStatus copy_up(u64 cluster);
    /// Makes [offset, offset + length) belong to the overlay, about to be overwritten wholly.
    [[nodiscard]] StoreStatus claim(u64 offset, u64 length);
    /// They have been overwritten.
    void mark(u64 offset, u64 length);

    std::unique_ptr<DiskStore> base_;
    std::unique_ptr<DiskStore> changes_;
    std::shared_mutex mutex_;  ///< guards what follows: readers share, writers exclude
    std::vector<u64> changed_; ///< one bit per cluster
    std::vector<u64> written_; ///< likewise, since they were collected or forgotten
};

} // namespace tandem::machine
