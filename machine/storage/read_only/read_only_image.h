#pragma once
/// Images of other programs that are only read: a format says where bytes lie, this moves them.
#include "machine/storage/byte_file.h"
#include "machine/storage/inflated_cache.h"

#include <atomic>

namespace tandem::machine {

/// A stretch of the disk that lies in one place.
struct DiskPiece {
    enum class Kind : u8 {
        Zero,
        Data,   ///< at `offset` of `file`
        Packed, ///< within a unit that unpack() makes of `key`
    };
    Kind kind = Kind::Zero;
    u64 length = 0; ///< bytes, at least 1
    ByteFile *file = nullptr;
    u64 offset = 0; ///< of Data in the file, of Packed in the unit
    u64 key = 0;
};

class ReadOnlyImage : public DiskStore {
public:
    u64 size() const override { return size_; }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool may_wait) final;
    StoreStatus write(u64, u64, std::span<iovec>) final { return StoreStatus::Failed; }
    StoreStatus flush() final { return StoreStatus::Ok; }
    StoreStatus discard(u64, u64) final { return StoreStatus::Failed; }
    StoreStatus write_zeroes(u64, u64, bool) final { return StoreStatus::Failed; }
    Extent extent(u64 offset, u64 length) final;

protected:
    /// A multiple of 512.
    void set_size(u64 size) { size_ = size; }
    /// What lies at `offset`: at most `length` bytes of it. Any thread.
    [[nodiscard]] virtual Result<DiskPiece> locate(u64 offset, u64 length) = 0;
    /// A whole unit; never called if there are no Packed pieces. Any thread.
    [[nodiscard]] virtual Result<std::vector<std::byte>> unpack(u64 key);

private:
    [[nodiscard]] Result<InflatedCache::Bytes> unit(u64 key);
    [[nodiscard]] StoreStatus failed(const Error &);

    u64 size_ = 0;
    InflatedCache inflated_;
    std::atomic<bool> told_ = false;
};

/// Integers of a file's structures, least significant byte first. The bytes are there.
template <typename T>
[[nodiscard]] T little_endian(std::span<const std::byte> bytes, std::size_t offset) {
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;)
        value = static_cast<T>(u64{value} << 8 | std::to_integer<u8>(bytes[offset + i]));
    return value;
}

} // namespace tandem::machine
