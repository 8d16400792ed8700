#pragma once
/// A raw image file or block device.
#include "machine/host/disk_store.h"
#include "support/scoped_fd.h"

namespace tandem::machine {

class RawDisk final : public DiskStore {
public:
    RawDisk(ScopedFd file, u64 size) : file_(std::move(file)), size_(size) {}

    u64 size() const override { return size_; }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool may_wait) override;
    StoreStatus write(u64 offset, u64 length, std::span<iovec>) override;
    StoreStatus flush() override;
    StoreStatus discard(u64 offset, u64 length) override;
    StoreStatus write_zeroes(u64 offset, u64 length, bool may_unmap) override;

private:
    ScopedFd file_;
    u64 size_;
};

} // namespace tandem::machine
