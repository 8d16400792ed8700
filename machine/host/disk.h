#pragma once
/// A disk store served by a few worker threads: the Block back end of virtio-blk.
#include "devices/backend/block.h"
#include "machine/storage/disk_store.h"
#include "machine/storage/host_file.h"
#include "machine/storage/image_format.h"
#include "machine/storage/overlay_disk.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tandem::machine {

namespace qcow2 {
class Image;
}

struct DiskOptions {
    bool readonly = false;
    bool snapshot = false;
    std::string identity;
    std::optional<ImageFormat> format = {}; ///< else the content decides
    CacheMode cache = CacheMode::Writeback;
};

class HostDisk final : public devices::Block {
public:
    [[nodiscard]] static Result<std::unique_ptr<HostDisk>> open(const std::string &path,
                                                                const DiskOptions &);
    HostDisk(std::unique_ptr<DiskStore> store, DiskOptions options);
    ~HostDisk() override;

    [[nodiscard]] ImageFormat format() const { return options_.format.value_or(ImageFormat::Raw); }
    // What of a disk belongs to a snapshot of the machine: nothing of one that is only read, the
    // overlay of a ,snapshot disk, and of an image that can, an internal snapshot.
    [[nodiscard]] OverlayDisk *overlay() const { return overlay_; }
    [[nodiscard]] qcow2::Image *image() const { return image_; }
    /// Whether what the guest writes can be brought back.
    [[nodiscard]] bool can_be_saved() const {
        return options_.readonly || overlay_ != nullptr || image_ != nullptr;
    }

    u64 size() const override { return store_->size(); }
    bool read_only() const override { return options_.readonly; }
    bool can_discard() const override { return !options_.readonly; }
    u32 preferred_alignment() const override { return 4096; }
    std::string_view identity() const override { return options_.identity; }
    void submit(std::span<devices::BlockRequest *const> requests) override;
    void drain() override;

private:
    static constexpr unsigned kMaxWorkers = 4;

    void work();
    [[nodiscard]] devices::BlockStatus execute(devices::BlockRequest &);
    [[nodiscard]] bool try_at_once(devices::BlockRequest &);

    std::unique_ptr<DiskStore> store_;
    OverlayDisk *overlay_ = nullptr; ///< the store, if it is one
    qcow2::Image *image_ = nullptr;  ///< the store, if it is one that the guest writes to
    DiskOptions options_;
    std::mutex mutex_; ///< guards all below
    std::condition_variable work_available_;
    std::condition_variable all_done_;
    std::deque<devices::BlockRequest *> queue_;
    unsigned running_ = 0; ///< requests taken by workers
    unsigned idle_ = 0;    ///< workers that wait
    bool stopping_ = false;
    std::vector<std::thread> workers_; ///< started when first needed
};

} // namespace tandem::machine
