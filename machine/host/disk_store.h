#pragma once
/// The bytes of a disk, accessed synchronously by any thread: a raw file, or an overlay on one.
#include "support/bits.h"
#include "support/result.h"

#include <memory>
#include <span>
#include <string>

struct iovec;

namespace tandem::machine {

/// How an access ended. WouldBlock only if `may_wait` was false; nothing was done then.
enum class StoreStatus : u8 { Ok, Failed, Unsupported, WouldBlock };

class DiskStore {
public:
    virtual ~DiskStore() = default;
    [[nodiscard]] virtual u64 size() const = 0;
    /// Transfers exactly `length` bytes, the sum of the vectors, which are consumed in the process.
    [[nodiscard]] virtual StoreStatus read(u64 offset, u64 length, std::span<iovec>,
                                           bool may_wait) = 0;
    [[nodiscard]] virtual StoreStatus write(u64 offset, u64 length, std::span<iovec>) = 0;
    [[nodiscard]] virtual StoreStatus flush() = 0;
    [[nodiscard]] virtual StoreStatus discard(u64 offset, u64 length) = 0;
    [[nodiscard]] virtual StoreStatus write_zeroes(u64 offset, u64 length, bool may_unmap) = 0;
};

enum class DiskAccess : u8 { ReadWrite, ReadOnly };

/// Opens a raw disk image or block device and locks it against other users.
[[nodiscard]] Result<std::unique_ptr<DiskStore>> open_raw_disk(const std::string &path, DiskAccess);

/// Writes go to an unnamed temporary file; `base` is only read.
[[nodiscard]] Result<std::unique_ptr<DiskStore>> create_overlay(std::unique_ptr<DiskStore> base);

/// Drops `count` bytes from the front of the vectors; returns those that are left.
[[nodiscard]] std::span<iovec> consume(std::span<iovec> vectors, u64 count);

} // namespace tandem::machine
