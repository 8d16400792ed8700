#pragma once
/// A disk as a device sees it. machine/host implements it, machine/replay wraps it.
#include "support/bits.h"

#include <span>
#include <string_view>

namespace tandem::devices {

enum class BlockOperation : u8 { Read, Write, Flush, Discard, WriteZeroes };
enum class BlockStatus : u8 { Ok, IoError, Unsupported };

/// One request. The device owns it and keeps it, and what its spans refer to, until complete().
class BlockRequest {
public:
    virtual ~BlockRequest() = default;
    /// Called exactly once, from any thread, perhaps before submit() returns.
    virtual void complete(BlockStatus) = 0;

    BlockOperation operation = BlockOperation::Read;
    bool may_unmap = false; ///< WriteZeroes: the range may be deallocated
    u64 offset = 0;         ///< bytes; the device has checked the range against size()
    u64 length = 0;         ///< bytes; the sum of the buffers for Read and Write
    /// Read fills them, Write takes from them. Guest memory: it may change while the request runs.
    std::span<const std::span<std::byte>> buffers;
};

class Block {
public:
    virtual ~Block() = default;
    [[nodiscard]] virtual u64 size() const = 0; ///< bytes, a multiple of 512
    [[nodiscard]] virtual bool read_only() const = 0;
    /// Whether Discard deallocates. If not, the device does not offer it to the guest.
    [[nodiscard]] virtual bool can_discard() const = 0;
    /// Alignment in bytes that is fast (4096 for most files); at least 512.
    [[nodiscard]] virtual u32 preferred_alignment() const = 0;
    /// Shown to the guest as the disk's serial number; at most 20 bytes are used.
    [[nodiscard]] virtual std::string_view identity() const = 0;

    /// Starts the requests; they may run and complete in any order. A Flush covers every write that
    /// completed before it was submitted. Any thread, with no lock of the device held.
    virtual void submit(std::span<BlockRequest *const> requests) = 0;
    /// Returns when every request submitted before has completed.
    virtual void drain() = 0;
};

} // namespace tandem::devices
