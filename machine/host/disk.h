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

/// Whether a disk that the guest writes to is this process's from the start, or another one's until
/// acquire().
enum class DiskStart : u8 { Acquired, Released };

struct DiskOptions {
    bool readonly = false;
    bool snapshot = false;
    std::string identity;
    std::optional<ImageFormat> format = {}; ///< else the content decides
    CacheMode cache = CacheMode::Writeback;
    DiskStart start = DiskStart::Acquired;
};

class HostDisk final : public devices::Block {
public:
    [[nodiscard]] static Result<std::unique_ptr<HostDisk>> open(const std::string &path,
                                                                const DiskOptions &);
    HostDisk(std::unique_ptr<DiskStore> store, DiskOptions options);
    ~HostDisk() override;

    /// Whether only one process may have it.
    [[nodiscard]] bool is_exclusive() const { return !options_.readonly && !options_.snapshot; }
    // Of an exclusive disk of which there are no requests.
    /// Writes everything to the image, and closes it.
    [[nodiscard]] Result<> release();
    /// Opens it again; fails if another process has it, or it is of another size.
    [[nodiscard]] Result<> acquire();
    /// While no device has it.
    void set_identity(std::string identity) { options_.identity = std::move(identity); }
    /// Writes what is held back, while the guest goes on.
    void flush();

    [[nodiscard]] ImageFormat format() const { return options_.format.value_or(ImageFormat::Raw); }
    // What of a disk belongs to a snapshot of the machine: nothing of one that is only read, the
    // overlay of a ,snapshot disk, and of an image that can, an internal snapshot.
    [[nodiscard]] OverlayDisk *overlay() const { return overlay_; }
    [[nodiscard]] qcow2::Image *image() const { return image_; }
    /// Whether what the guest writes can be brought back.
    [[nodiscard]] bool can_be_saved() const {
        return options_.readonly || overlay_ != nullptr || image_ != nullptr;
    }

    u64 size() const override { return size_; }
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

    HostDisk(std::string path, DiskOptions options)
        : path_(std::move(path)), options_(std::move(options)) {}
    [[nodiscard]] Result<> open_store(DiskAccess, Locking);

    std::string path_;
    std::unique_ptr<DiskStore> store_; ///< null while it is released
    u64 size_ = 0;
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
