#include "machine/host/disk.h"

#include "machine/storage/image/open_image.h"

#include <fmt/format.h>
#include <sys/uio.h>

namespace tandem::machine {
namespace {

using devices::BlockOperation;
using devices::BlockRequest;
using devices::BlockStatus;

std::vector<iovec> vectors_of(const BlockRequest &request) {
    std::vector<iovec> vectors;
    vectors.reserve(request.buffers.size());
    for (const auto &buffer : request.buffers)
        if (!buffer.empty()) vectors.push_back({buffer.data(), buffer.size()});
    return vectors;
}

BlockStatus block_status(StoreStatus status) {
    switch (status) {
    case StoreStatus::Ok: return BlockStatus::Ok;
    case StoreStatus::Unsupported: return BlockStatus::Unsupported;
    case StoreStatus::Failed:
    case StoreStatus::WouldBlock: break;
    }
    return BlockStatus::IoError;
}

} // namespace

Result<std::unique_ptr<HostDisk>> HostDisk::open(const std::string &path,
                                                 const DiskOptions &options) {
    std::unique_ptr<HostDisk> disk{new HostDisk(path, options)};
    if (!disk->is_exclusive()) {
        TRY(disk->open_store(DiskAccess::ReadOnly, Locking::Locked));
    } else if (options.start == DiskStart::Acquired) {
        TRY(disk->acquire());
    } else {
        // A look at it: what cannot be used is better found now.
        TRY(disk->open_store(DiskAccess::ReadOnly, Locking::Unlocked));
        disk->store_.reset();
    }
    return disk;
}

HostDisk::HostDisk(std::unique_ptr<DiskStore> store, DiskOptions options)
    : store_(std::move(store)), size_(store_->size()), options_(std::move(options)) {}

Result<> HostDisk::open_store(DiskAccess access, Locking locking) {
    OpenedImage opened = TRY(open_image(path_, {.access = access,
                                                .format = options_.format,
                                                .cache = options_.cache,
                                                .locking = locking}));
    const u64 size = opened.store->size();
    if (size_ != 0 && size != size_)
        return failure(fmt::format("{}: has {} bytes, and had {}; give the machine the disk it had",
                                   path_, size, size_));
    size_ = size;
    if (options_.snapshot && !options_.readonly) {
        auto changes = TRY(OverlayDisk::create(std::move(opened.store)));
        overlay_ = changes.get();
        opened.store = std::move(changes);
    }
    options_.format = opened.format;
    store_ = std::move(opened.store);
    if (access == DiskAccess::ReadWrite) image_ = opened.qcow2;
    return {};
}

Result<> HostDisk::acquire() {
    if (store_ != nullptr) return {};
    return open_store(DiskAccess::ReadWrite, Locking::Locked);
}

Result<> HostDisk::release() {
    drain();
    if (store_ == nullptr) return {};
    if (store_->flush() != StoreStatus::Ok)
        return failure(fmt::format("{}: cannot be written; make room on its disk", path_));
    image_ = nullptr;
    store_.reset();
    return {};
}

void HostDisk::flush() {
    static_cast<void>(store_->flush()); // a failure is told by the one that counts
}

HostDisk::~HostDisk() {
    drain();
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_available_.notify_all();
    for (std::thread &worker : workers_) worker.join();
}

bool HostDisk::try_at_once(BlockRequest &request) {
    // What the page cache holds is copied faster than another thread wakes up.
    static constexpr u64 kMaxInline = 256 * 1024;
    if (request.operation != BlockOperation::Read || request.length > kMaxInline) return false;
    auto vectors = vectors_of(request);
    const StoreStatus status = store_->read(request.offset, request.length, vectors, false);
    if (status == StoreStatus::WouldBlock) return false;
    request.complete(block_status(status));
    return true;
}

void HostDisk::submit(std::span<BlockRequest *const> requests) {
    for (BlockRequest *request : requests) {
        if (try_at_once(*request)) continue;
        const std::lock_guard lock(mutex_);
        queue_.push_back(request);
        if (idle_ == 0 && workers_.size() < kMaxWorkers) {
            workers_.emplace_back([this] { work(); });
        } else {
            work_available_.notify_one();
        }
    }
}

void HostDisk::drain() {
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [this] { return queue_.empty() && running_ == 0; });
}

void HostDisk::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        work_available_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) return; // stopping
        BlockRequest &request = *queue_.front();
        queue_.pop_front();
        ++running_;
        lock.unlock();
        const BlockStatus status = execute(request);
        request.complete(status); // the request may be gone now
        lock.lock();
        --running_;
        if (queue_.empty() && running_ == 0) all_done_.notify_all();
    }
}

BlockStatus HostDisk::execute(BlockRequest &request) {
    if (options_.readonly && request.operation != BlockOperation::Read &&
        request.operation != BlockOperation::Flush)
        return BlockStatus::IoError;
    switch (request.operation) {
    case BlockOperation::Read: {
        auto vectors = vectors_of(request);
        return block_status(store_->read(request.offset, request.length, vectors, true));
    }
    case BlockOperation::Write: {
        auto vectors = vectors_of(request);
        return block_status(store_->write(request.offset, request.length, vectors));
    }
    case BlockOperation::Flush: return block_status(store_->flush());
    case BlockOperation::Discard:
        return block_status(store_->discard(request.offset, request.length));
    case BlockOperation::WriteZeroes:
        return block_status(
            store_->write_zeroes(request.offset, request.length, request.may_unmap));
    }
    return BlockStatus::Unsupported;
}

} // namespace tandem::machine
