#pragma once
/// A raw image file or block device.
#include "machine/storage/byte_file.h"

namespace tandem::machine {

/// Whether somebody said that a file is raw, or its content did.
enum class FormatSource : u8 { Named, Sniffed };

class RawDisk final : public DiskStore {
public:
    RawDisk(std::unique_ptr<ByteFile> file, FormatSource source)
        : file_(std::move(file)), size_(file_->size()), source_(source) {}
    /// Checks that the file can be a raw disk.
    [[nodiscard]] static Result<std::unique_ptr<RawDisk>> create(std::unique_ptr<ByteFile>,
                                                                 FormatSource);

    u64 size() const override { return size_; }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool may_wait) override;
    StoreStatus write(u64 offset, u64 length, std::span<iovec>) override;
    StoreStatus flush() override { return file_->flush(); }
    StoreStatus discard(u64 offset, u64 length) override {
        return file_->punch_hole(offset, length);
    }
    StoreStatus write_zeroes(u64 offset, u64 length, bool may_unmap) override {
        return file_->zero(offset, length, may_unmap);
    }
    Extent extent(u64 offset, u64 length) override { return file_->extent(offset, length); }

    [[nodiscard]] ByteFile &file() { return *file_; }

private:
    std::unique_ptr<ByteFile> file_;
    u64 size_;
    FormatSource source_;
};

} // namespace tandem::machine
