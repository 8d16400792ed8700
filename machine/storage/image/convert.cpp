/// Copies of whole disks.
#include "machine/storage/image/administration.h"
#include "machine/storage/qcow2/image.h"
#include "machine/storage/raw_disk.h"
#include "support/zeros.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine {
namespace {

constexpr u64 kChunk = 2u << 20;

/// Writes a chunk, leaving out blocks of zeros: the target is new, and reads as zeros there.
bool write_sparsely(DiskStore &target, u64 offset, std::span<const std::byte> bytes, u64 block) {
    u64 done = 0;
    while (done < bytes.size()) {
        u64 end = done;
        const auto piece = [&](u64 at) {
            return bytes.subspan(at, std::min<u64>(block, bytes.size() - at));
        };
        const bool zero = is_zero(piece(done));
        while (end < bytes.size() && is_zero(piece(end)) == zero)
            end = std::min<u64>(end + block, bytes.size());
        if (!zero && !write_bytes(target, offset + done, bytes.subspan(done, end - done)))
            return false;
        done = end;
    }
    return true;
}

bool write_chunk(const OpenedImage &target, u64 offset, std::span<std::byte> bytes, bool compress) {
    if (!compress) return write_sparsely(*target.store, offset, bytes, 4096);
    const u64 cluster = target.qcow2->header().cluster_size();
    std::vector<std::byte> padded;
    for (u64 at = 0; at < bytes.size(); at += cluster) {
        std::span<const std::byte> piece =
            bytes.subspan(at, std::min<u64>(cluster, bytes.size() - at));
        if (is_zero(piece)) continue;
        if (piece.size() < cluster) { // the end of the disk
            padded.assign(cluster, std::byte{0});
            std::ranges::copy(piece, padded.begin());
            piece = padded;
        }
        if (target.qcow2->write_compressed(offset + at, piece) != StoreStatus::Ok) return false;
    }
    return true;
}

} // namespace

Result<> convert_image(ImageCopy copy, const ImageProgress &progress) {
    if (copy.compress && copy.target.format != ImageFormat::Qcow2)
        return failure(
            fmt::format("{}: only qcow2 images are compressed; use --to qcow2", copy.target.path));
    ImageOptions options;
    options.format = copy.source_format;
    const OpenedImage source = TRY(open_image(copy.source, options));
    const u64 size = source.store->size();
    copy.target.qcow2.size = size;
    TRY(create_image(copy.target));
    options.access = DiskAccess::ReadWrite;
    options.format = copy.target.format;
    const OpenedImage target = TRY(open_image(copy.target.path, options));

    const auto cannot = [](const std::string &path, std::string_view what, u64 at) {
        return failure(fmt::format("{}: cannot {} at {}; check the medium and its free space", path,
                                   what, at));
    };
    std::vector<std::byte> buffer(kChunk);
    for (u64 offset = 0; offset < size;) {
        if (progress) progress(offset, size);
        const u64 limit = std::min(kChunk - offset % kChunk, size - offset);
        const Extent extent = source.store->extent(offset, size - offset);
        if (extent.kind != ExtentKind::Data && !copy.compress) {
            offset += extent.length;
            continue;
        }
        // Compressed clusters are written whole, so that chunks are not cut at extents.
        const u64 count = copy.compress ? limit : std::min(limit, extent.length);
        if (copy.compress && extent.kind != ExtentKind::Data && extent.length >= limit) {
            offset += limit;
            continue;
        }
        const auto bytes = std::span(buffer).first(count);
        if (!read_bytes(*source.store, offset, bytes)) return cannot(copy.source, "read", offset);
        if (!write_chunk(target, offset, bytes, copy.compress))
            return cannot(copy.target.path, "write", offset);
        offset += count;
    }
    if (target.store->flush() != StoreStatus::Ok) return cannot(copy.target.path, "flush", size);
    if (progress) progress(size, size);
    return {};
}

} // namespace tandem::machine
