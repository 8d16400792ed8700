#include "machine/storage/read_only/vmdk.h"

#include "machine/storage/read_only/vmdk_descriptor.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace tandem::machine {
namespace {

constexpr u64 kSector = 512;
constexpr u32 kSparseMagic = 0x564d444b; // "KDMV"
constexpr u64 kMaxDescriptor = 1u << 20;
constexpr u64 kMaxGrain = 16u << 20;
constexpr u32 kMaxTableEntries = 1u << 16;
constexpr u64 kMaxDirectory = 1u << 24;
constexpr std::size_t kMaxExtents = 4096;

// Flags, and places in the header.
constexpr u32 kZeroGrains = 1u << 2, kCompressed = 1u << 16, kMarkers = 1u << 17;
constexpr u64 kDirectoryAtEnd = ~u64{0};
constexpr u64 kFooterFromEnd = 1024;
constexpr u16 kDeflate = 1;

struct SparseHeader {
    u32 version = 0, flags = 0;
    u64 sectors = 0, grain_sectors = 0, descriptor_sector = 0, descriptor_sectors = 0;
    u32 table_entries = 0;
    u64 directory_sector = 0;
    u16 compression = 0;
};

std::optional<SparseHeader> parse_header(std::span<const std::byte> head) {
    if (little_endian<u32>(head, 0) != kSparseMagic) return std::nullopt;
    return SparseHeader{.version = little_endian<u32>(head, 4),
                        .flags = little_endian<u32>(head, 8),
                        .sectors = little_endian<u64>(head, 12),
                        .grain_sectors = little_endian<u64>(head, 20),
                        .descriptor_sector = little_endian<u64>(head, 28),
                        .descriptor_sectors = little_endian<u64>(head, 36),
                        .table_entries = little_endian<u32>(head, 44),
                        .directory_sector = little_endian<u64>(head, 56),
                        .compression = little_endian<u16>(head, 77)};
}

/// Beyond the end there are zeros.
Result<std::string> read_text(ByteFile &file, u64 offset, u64 bytes) {
    std::string text(std::min(bytes, kMaxDescriptor), '\0');
    TRY(file.read_exactly(offset, std::as_writable_bytes(std::span(text))));
    return text;
}

std::unexpected<Error> damaged(const ByteFile &file, std::string_view what) {
    return failure(fmt::format("{}: damaged vmdk image: {}; copy it again", file.name(), what));
}

} // namespace

Result<std::unique_ptr<VmdkImage>> VmdkImage::open(std::unique_ptr<ByteFile> file,
                                                   const OpenFile &open_file) {
    std::unique_ptr<VmdkImage> image{new VmdkImage};
    std::array<std::byte, kSector> head{};
    TRY(file->read_exactly(0, head));
    if (const auto header = parse_header(head)) {
        if (header->descriptor_sectors != 0 && header->descriptor_sector < kMaxDescriptor)
            TRY(parse_vmdk_descriptor(TRY(read_text(*file, header->descriptor_sector * kSector,
                                                    header->descriptor_sectors * kSector)),
                                      file->name()));
        TRY(image->add_sparse(std::move(file), 0));
        return image;
    }
    const std::string text = TRY(read_text(*file, 0, file->size()));
    if (!text.starts_with(kVmdkDescriptorMagic))
        return failure(fmt::format("{}: is no vmdk image; check the path", file->name()));
    const auto lines = TRY(parse_vmdk_descriptor(text, file->name()));
    if (lines.size() > kMaxExtents) return damaged(*file, "too many extents");
    for (const VmdkExtentLine &line : lines) {
        std::unique_ptr<ByteFile> part;
        if (line.kind != VmdkExtentLine::Kind::Zero) part = TRY(open_file(line.file));
        if (line.kind == VmdkExtentLine::Kind::Sparse) {
            TRY(image->add_sparse(std::move(part), line.sectors));
            continue;
        }
        const u64 bytes = line.sectors * kSector, offset = line.first_sector * kSector;
        if (part != nullptr && offset + bytes > part->size())
            return failure(fmt::format("{}: truncated: {} bytes of {}; copy it again", part->name(),
                                       part->size(), offset + bytes));
        DiskExtent extent;
        extent.file = std::move(part);
        extent.flat_offset = offset;
        TRY(image->add(std::move(extent), bytes));
    }
    return image;
}

Result<> VmdkImage::add(DiskExtent extent, u64 bytes) {
    constexpr u64 kMaxDisk = u64{64} << 40;
    if (bytes > kMaxDisk || size() > kMaxDisk - bytes)
        return failure("a vmdk image of an absurd size; copy it again");
    extent.begin = size();
    extent.end = size() + bytes;
    set_size(extent.end);
    extents_.push_back(std::move(extent));
    return {};
}

Result<> VmdkImage::add_sparse(std::unique_ptr<ByteFile> file, u64 expected_sectors) {
    std::array<std::byte, kSector> head{};
    TRY(file->read_exactly(0, head));
    std::optional<SparseHeader> header = parse_header(head);
    // A stream is written from start to end: the directory's place is in a copy of the header
    // there.
    if (header.has_value() && header->directory_sector == kDirectoryAtEnd &&
        file->size() >= kFooterFromEnd) {
        TRY(file->read_exactly(file->size() - kFooterFromEnd, head));
        header = parse_header(head);
    }
    if (!header.has_value()) return damaged(*file, "no header");
    if (header->version < 1 || header->version > 3)
        return failure(fmt::format("{}: is a vmdk image of version {}, which is not known; convert "
                                   "it: qemu-img convert -O qcow2 IN OUT",
                                   file->name(), header->version));
    const u64 grain_bytes = header->grain_sectors * kSector;
    if (header->grain_sectors == 0 || header->grain_sectors > kMaxGrain / kSector ||
        !std::has_single_bit(header->grain_sectors) || header->table_entries == 0 ||
        header->table_entries > kMaxTableEntries || header->sectors > u64{1} << 40)
        return damaged(*file, "absurd sizes");
    if (expected_sectors != 0 && expected_sectors > header->sectors)
        return damaged(*file, "smaller than its descriptor says");

    DiskExtent extent;
    extent.is_sparse = true;
    extent.is_compressed = (header->flags & kCompressed) != 0;
    extent.has_zero_grains = (header->flags & kZeroGrains) != 0;
    extent.grain_bytes = grain_bytes;
    extent.table_entries = header->table_entries;
    if (extent.is_compressed &&
        (header->compression != kDeflate || (header->flags & kMarkers) == 0))
        return failure(fmt::format("{}: is a vmdk image with an unknown compression; convert it: "
                                   "qemu-img convert -O qcow2 IN OUT",
                                   file->name()));
    const u64 bytes = (expected_sectors != 0 ? expected_sectors : header->sectors) * kSector;
    const u64 tables =
        (bytes + grain_bytes * header->table_entries - 1) / (grain_bytes * header->table_entries);
    if (tables > kMaxDirectory || header->directory_sector >= file->size() / kSector ||
        tables * sizeof(u32) > file->size() - header->directory_sector * kSector)
        return damaged(*file, "its directory lies outside of it");
    std::vector<std::byte> directory(tables * sizeof(u32));
    TRY(file->read_exactly(header->directory_sector * kSector, directory));
    for (u64 i = 0; i < tables; ++i)
        extent.directory.push_back(little_endian<u32>(directory, i * sizeof(u32)));
    extent.file = std::move(file);
    return add(std::move(extent), bytes);
}

Result<u32> VmdkImage::grain_of(const DiskExtent &extent, u64 grain) {
    const u64 table = extent.directory[grain / extent.table_entries];
    std::array<std::byte, sizeof(u32)> entry{};
    TRY(extent.file->read_exactly(table * kSector + grain % extent.table_entries * sizeof(u32),
                                  entry));
    return little_endian<u32>(entry, 0);
}

Result<DiskPiece> VmdkImage::locate(u64 offset, u64 length) {
    const auto after = std::ranges::upper_bound(extents_, offset, {}, &DiskExtent::end);
    const DiskExtent &extent = *after;
    const u64 within = offset - extent.begin;
    DiskPiece piece;
    piece.length = std::min(length, extent.end - offset);
    piece.file = extent.file.get();
    if (extent.file == nullptr) return piece;
    if (!extent.is_sparse) {
        piece.kind = DiskPiece::Kind::Data;
        piece.offset = extent.flat_offset + within;
        return piece;
    }
    constexpr u32 kZeroGrain = 1;
    const u64 grain = within / extent.grain_bytes, at = within % extent.grain_bytes;
    const u64 table_bytes = extent.grain_bytes * extent.table_entries;
    if (extent.directory[within / table_bytes] == 0) {
        piece.length = std::min(piece.length, table_bytes - within % table_bytes);
        return piece;
    }
    piece.length = std::min(piece.length, extent.grain_bytes - at);
    const u32 sector = TRY(grain_of(extent, grain));
    if (sector == 0 || (sector == kZeroGrain && extent.has_zero_grains)) return piece;
    if (extent.is_compressed) {
        piece.kind = DiskPiece::Kind::Packed;
        piece.offset = at;
        piece.key = static_cast<u64>(after - extents_.begin()) << 32 | sector;
        return piece;
    }
    piece.kind = DiskPiece::Kind::Data;
    piece.offset = sector * kSector + at;
    if (piece.offset + piece.length > extent.file->size())
        return damaged(*extent.file, "a grain lies outside of it");
    return piece;
}

Result<std::vector<std::byte>> VmdkImage::unpack(u64 key) {
    // A marker precedes the data: the grain's first sector (u64) and how many bytes follow (u32).
    constexpr std::size_t kMarker = 12;
    const DiskExtent &extent = extents_[key >> 32];
    const u64 place = (key & 0xffff'ffff) * kSector;
    std::array<std::byte, kMarker> marker{};
    TRY(extent.file->read_exactly(place, marker));
    const u32 packed_bytes = little_endian<u32>(marker, 8);
    if (packed_bytes == 0 || packed_bytes > extent.grain_bytes * 2)
        return damaged(*extent.file, "a compressed grain of an absurd size");
    std::vector<std::byte> packed(packed_bytes);
    TRY(extent.file->read_exactly(place + kMarker, packed));
    std::vector<std::byte> grain(extent.grain_bytes);
    uLongf bytes = grain.size();
    const int result = ::uncompress(reinterpret_cast<Bytef *>(grain.data()), &bytes,
                                    reinterpret_cast<const Bytef *>(packed.data()), packed.size());
    if (result != Z_OK) return damaged(*extent.file, "a compressed grain that is none");
    return grain; // the last one of a disk may be shorter: zeros follow
}

} // namespace tandem::machine
