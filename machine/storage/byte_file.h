#pragma once
/// A file that an image format lives in: bytes, flushes and holes. HostFile is the real one; tests
/// put others in its place, to cut the power between two writes. Any thread.
#include "machine/storage/disk_store.h"

#include <string>

namespace tandem::machine {

class ByteFile {
public:
    virtual ~ByteFile() = default;
    [[nodiscard]] virtual const std::string &name() const = 0;
    [[nodiscard]] virtual bool writable() const = 0;
    /// The current length.
    [[nodiscard]] virtual u64 size() const = 0;
    /// Bytes beyond the end read as zeros.
    [[nodiscard]] virtual StoreStatus read(u64 offset, u64 length, std::span<iovec>,
                                           bool may_wait) = 0;
    /// Writing beyond the end makes the file longer.
    [[nodiscard]] virtual StoreStatus write(u64 offset, u64 length, std::span<iovec>) = 0;
    [[nodiscard]] virtual StoreStatus flush() = 0;
    /// Deallocates; what is read there later is undefined, within the file's old length.
    [[nodiscard]] virtual StoreStatus punch_hole(u64 offset, u64 length) = 0;
    /// Makes the range read as zeros, allocated or (if `may_unmap`) not; within the file's length.
    [[nodiscard]] virtual StoreStatus zero(u64 offset, u64 length, bool may_unmap) = 0;
    [[nodiscard]] virtual StoreStatus resize(u64 size) = 0;
    [[nodiscard]] virtual Extent extent(u64 offset, u64 length) = 0;
    /// Bytes allocated on the host.
    [[nodiscard]] virtual u64 allocated() const { return size(); }

    // For metadata: plain buffers; the error names the file.
    [[nodiscard]] Result<> read_exactly(u64 offset, std::span<std::byte>);
    [[nodiscard]] Result<> write_exactly(u64 offset, std::span<const std::byte>);
    [[nodiscard]] Result<> sync();
};

} // namespace tandem::machine
