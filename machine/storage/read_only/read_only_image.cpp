#include "machine/storage/read_only/read_only_image.h"

#include "machine/storage/vectors.h"
#include "support/check.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdio>

namespace tandem::machine {

Result<std::vector<std::byte>> ReadOnlyImage::unpack(u64) {
    CHECK(false);
    return {};
}

StoreStatus ReadOnlyImage::failed(const Error &error) {
    if (!told_.exchange(true))
        fmt::print(stderr, "tandem: {}; the guest sees I/O errors\r\n", error.message);
    return StoreStatus::Failed;
}

Result<InflatedCache::Bytes> ReadOnlyImage::unit(u64 key) {
    if (InflatedCache::Bytes bytes = inflated_.find(key)) return bytes;
    auto bytes = std::make_shared<const std::vector<std::byte>>(TRY(unpack(key)));
    inflated_.add(key, bytes);
    return bytes;
}

StoreStatus ReadOnlyImage::read(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    if (!may_wait) return StoreStatus::WouldBlock; // its tables are read from the file each time
    while (length != 0) {
        const auto piece = locate(offset, length);
        if (!piece.has_value()) return failed(piece.error());
        const u64 count = std::min(piece->length, length);
        std::vector<iovec> part = first_bytes(vectors, count);
        switch (piece->kind) {
        case DiskPiece::Kind::Zero: fill_zero(part, count); break;
        case DiskPiece::Kind::Data:
            if (const StoreStatus status = piece->file->read(piece->offset, count, part, true);
                status != StoreStatus::Ok)
                return status;
            break;
        case DiskPiece::Kind::Packed: {
            const auto bytes = unit(piece->key);
            if (!bytes.has_value()) return failed(bytes.error());
            scatter(part, std::span(**bytes).subspan(piece->offset, count));
            break;
        }
        }
        vectors = consume(vectors, count);
        offset += count;
        length -= count;
    }
    return StoreStatus::Ok;
}

Extent ReadOnlyImage::extent(u64 offset, u64 length) {
    const auto piece = locate(offset, length);
    if (!piece.has_value()) return {ExtentKind::Data, length}; // the read will say why
    return {piece->kind == DiskPiece::Kind::Zero ? ExtentKind::Zero : ExtentKind::Data,
            std::min(piece->length, length)};
}

} // namespace tandem::machine
