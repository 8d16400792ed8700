#pragma once
/// The bytes of a disk, accessed synchronously by any thread: a raw file, a qcow2 image, or an
/// overlay on either.
#include "support/bits.h"
#include "support/result.h"

#include <memory>
#include <span>

struct iovec;

namespace tandem::machine {

/// How an access ended. WouldBlock only if `may_wait` was false; nothing was done then.
enum class StoreStatus : u8 { Ok, Failed, Unsupported, WouldBlock };

/// What a stretch of a disk is made of, for copies and maps.
enum class ExtentKind : u8 {
    Data, ///< bytes are stored for it
    Zero, ///< reads as zeros, whatever lies below
    Hole, ///< nothing is stored: a hole of a raw file, or left to a backing image
};

struct Extent {
    ExtentKind kind = ExtentKind::Data;
    u64 length = 0;
};

class DiskStore {
public:
    virtual ~DiskStore() = default;
    [[nodiscard]] virtual u64 size() const = 0;
    /// Transfers exactly `length` bytes, the sum of the vectors, which are consumed in the process.
    [[nodiscard]] virtual StoreStatus read(u64 offset, u64 length, std::span<iovec>,
                                           bool may_wait) = 0;
    [[nodiscard]] virtual StoreStatus write(u64 offset, u64 length, std::span<iovec>) = 0;
    /// Every write that returned before is on stable storage when this returns Ok.
    [[nodiscard]] virtual StoreStatus flush() = 0;
    [[nodiscard]] virtual StoreStatus discard(u64 offset, u64 length) = 0;
    [[nodiscard]] virtual StoreStatus write_zeroes(u64 offset, u64 length, bool may_unmap) = 0;
    /// What lies at `offset`; the extent has 1 to `length` bytes. Unknown counts as Data.
    [[nodiscard]] virtual Extent extent(u64 offset, u64 length) {
        static_cast<void>(offset);
        return {ExtentKind::Data, length};
    }
};

/// Reads or writes a plain buffer; false if that failed.
[[nodiscard]] bool read_bytes(DiskStore &, u64 offset, std::span<std::byte>);
[[nodiscard]] bool write_bytes(DiskStore &, u64 offset, std::span<const std::byte>);

} // namespace tandem::machine
