#include "machine/storage/read_only/vhdx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

namespace tandem::machine {
namespace {

constexpr u64 kKibibyte = 1024, kMebibyte = u64{1} << 20;

/// A GUID as it lies in the file: the first three fields are little-endian ([MS-DTYP] 2.3.4).
using Guid = std::array<u8, 16>;
constexpr Guid guid(u32 a, u16 b, u16 c, u64 d) {
    Guid out{};
    for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<u8>(a >> (8 * i));
    for (unsigned i = 0; i < 2; ++i) out[4 + i] = static_cast<u8>(b >> (8 * i));
    for (unsigned i = 0; i < 2; ++i) out[6 + i] = static_cast<u8>(c >> (8 * i));
    for (unsigned i = 0; i < 8; ++i) out[8 + i] = static_cast<u8>(d >> (8 * (7 - i)));
    return out;
}
// Regions, [MS-VHDX] 2.2.3.2.
constexpr Guid kBlockTable = guid(0x2dc27766, 0xf623, 0x4200, 0x9d64'115e'9bfd'4a08);
constexpr Guid kMetadata = guid(0x8b7ca206, 0x4790, 0x4b9a, 0xb8fe'575f'050f'886e);
// Metadata, 2.6.2.
constexpr Guid kFileParameters = guid(0xcaa16737, 0xfa36, 0x4d43, 0xb3b6'33f0'aa44'e76b);
constexpr Guid kDiskSize = guid(0x2fa54224, 0xcd1b, 0x4876, 0xb211'5dbe'd83b'f4b8);
constexpr Guid kLogicalSector = guid(0x8141bf1d, 0xa96f, 0x4709, 0xba47'f233'a8fa'ab5f);

constexpr std::array kHeaderPlaces{64 * kKibibyte, 128 * kKibibyte};
constexpr std::array kRegionPlaces{192 * kKibibyte, 256 * kKibibyte};
constexpr std::size_t kHeaderBytes = 4096, kRegionBytes = 65536, kMetadataTable = 65536;
constexpr std::size_t kMaxEntries = 2047;
constexpr u64 kMaxDisk = u64{64} << 40;

// States of blocks, 2.5.1.1.
enum BlockState : u64 { NotPresent, Undefined, Zeroed, Unmapped, Present = 6 };

bool is_sound(std::span<const std::byte> bytes, std::string_view signature) {
    return std::memcmp(bytes.data(), signature.data(), signature.size()) == 0 &&
           little_endian<u32>(bytes, 4) == vhdx_checksum(bytes);
}

bool is_guid(std::span<const std::byte> bytes, std::size_t offset, const Guid &guid) {
    return std::memcmp(bytes.data() + offset, guid.data(), guid.size()) == 0;
}

} // namespace

u32 vhdx_checksum(std::span<const std::byte> bytes) {
    static constexpr auto kTable = [] {
        std::array<u32, 256> table{};
        for (u32 i = 0; i < 256; ++i) {
            u32 value = i;
            for (unsigned bit = 0; bit < 8; ++bit)
                value = value >> 1 ^ ((value & 1) != 0 ? 0x82f6'3b78u : 0u);
            table[i] = value;
        }
        return table;
    }();
    u32 crc = ~0u;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const u8 byte = i >= 4 && i < 8 ? u8{0} : std::to_integer<u8>(bytes[i]);
        crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
    }
    return ~crc;
}

std::unexpected<Error> VhdxImage::damaged(std::string_view what) const {
    return failure(fmt::format("{}: damaged vhdx image: {}; copy it again", file_->name(), what));
}

Result<std::unique_ptr<VhdxImage>> VhdxImage::open(std::unique_ptr<ByteFile> file) {
    std::unique_ptr<VhdxImage> image{new VhdxImage(std::move(file))};
    if (image->file_->size() < kMebibyte)
        return failure(
            fmt::format("{}: truncated vhdx image; copy it again", image->file_->name()));
    TRY(image->check_headers());
    TRY(image->load_regions());
    TRY(image->load_metadata());
    return image;
}

/// 2.2.2: of two headers, the sound one with the higher sequence number holds.
Result<> VhdxImage::check_headers() {
    std::optional<u64> newest;
    bool has_log = false;
    u16 version = 0;
    std::vector<std::byte> header(kHeaderBytes);
    for (const u64 place : kHeaderPlaces) {
        TRY(file_->read_exactly(place, header));
        const u64 sequence = little_endian<u64>(header, 8);
        if (!is_sound(header, "head") || (newest.has_value() && sequence < *newest)) continue;
        newest = sequence;
        has_log = !is_guid(header, 48, Guid{});
        version = little_endian<u16>(header, 66);
    }
    if (!newest.has_value()) return damaged("no sound header");
    if (version != 1)
        return failure(fmt::format("{}: is a vhdx image of version {}, which is not known; convert "
                                   "it: qemu-img convert -O qcow2 IN OUT",
                                   file_->name(), version));
    if (has_log)
        return failure(
            fmt::format("{}: was not closed, and has a log to be replayed; run: qemu-img "
                        "check -r all {}",
                        file_->name(), file_->name()));
    return {};
}

Result<> VhdxImage::load_regions() {
    std::vector<std::byte> table(kRegionBytes);
    bool is_found = false;
    for (const u64 place : kRegionPlaces) {
        TRY(file_->read_exactly(place, table));
        if (is_found = is_sound(table, "regi"); is_found) break;
    }
    const u32 count = little_endian<u32>(table, 8);
    if (!is_found || count > kMaxEntries) return damaged("no sound table of regions");
    constexpr std::size_t kFirst = 16, kEntry = 32;
    for (std::size_t at = kFirst; at < kFirst + count * kEntry; at += kEntry) {
        const Region region{little_endian<u64>(table, at + 16), little_endian<u32>(table, at + 24)};
        const bool is_required = (little_endian<u32>(table, at + 28) & 1) != 0;
        if (is_guid(table, at, kBlockTable))
            block_table_ = region;
        else if (is_guid(table, at, kMetadata))
            metadata_ = region;
        else if (is_required)
            return failure(fmt::format("{}: is a vhdx image with an unknown region; convert it: "
                                       "qemu-img convert -O qcow2 IN OUT",
                                       file_->name()));
    }
    for (const Region &region : {block_table_, metadata_})
        if (region.offset < kMebibyte || region.offset > file_->size() ||
            region.length > file_->size() - region.offset)
            return damaged("a region lies outside of it");
    return {};
}

Result<> VhdxImage::load_metadata() {
    if (metadata_.length < kMetadataTable) return damaged("its metadata are too short");
    std::vector<std::byte> table(kMetadataTable);
    TRY(file_->read_exactly(metadata_.offset, table));
    const u16 count = little_endian<u16>(table, 10);
    if (std::memcmp(table.data(), "metadata", 8) != 0 || count > kMaxEntries)
        return damaged("no table of metadata");

    u32 block_bytes = 0, flags = 0, sector_bytes = 0;
    u64 disk_bytes = 0;
    struct Item {
        const Guid &id;
        u32 bytes;
    };
    constexpr std::size_t kFirst = 32, kEntry = 32;
    const auto value_of = [&](const Item &item) -> Result<std::vector<std::byte>> {
        for (std::size_t at = kFirst; at < kFirst + count * kEntry; at += kEntry) {
            if (!is_guid(table, at, item.id)) continue;
            const u32 offset = little_endian<u32>(table, at + 16);
            if (offset < kMetadataTable || offset > metadata_.length ||
                item.bytes > metadata_.length - offset)
                return damaged("a metadata item lies outside of it");
            std::vector<std::byte> value(item.bytes);
            TRY(file_->read_exactly(metadata_.offset + offset, value));
            return value;
        }
        return damaged("a metadata item is missing");
    };
    const auto parameters = TRY(value_of({kFileParameters, 8}));
    block_bytes = little_endian<u32>(parameters, 0);
    flags = little_endian<u32>(parameters, 4);
    disk_bytes = little_endian<u64>(TRY(value_of({kDiskSize, 8})), 0);
    sector_bytes = little_endian<u32>(TRY(value_of({kLogicalSector, 4})), 0);

    constexpr u32 kHasParent = 2;
    if ((flags & kHasParent) != 0)
        return failure(fmt::format("{}: is a vhdx image on top of another; convert it: qemu-img "
                                   "convert -O qcow2 IN OUT",
                                   file_->name()));
    if (!std::has_single_bit(block_bytes) || block_bytes < kMebibyte ||
        block_bytes > 256 * kMebibyte || (sector_bytes != 512 && sector_bytes != 4096) ||
        disk_bytes == 0 || disk_bytes > kMaxDisk || disk_bytes % sector_bytes != 0)
        return damaged("absurd sizes");
    set_size(disk_bytes);
    block_bytes_ = block_bytes;
    chunk_blocks_ = (u64{1} << 23) * sector_bytes / block_bytes;
    const u64 blocks = (disk_bytes + block_bytes - 1) / block_bytes;
    if ((blocks + (blocks - 1) / chunk_blocks_) * sizeof(u64) > block_table_.length)
        return damaged("its table of blocks is too short");
    return {};
}

Result<DiskPiece> VhdxImage::locate(u64 offset, u64 length) {
    const u64 block = offset / block_bytes_, within = offset % block_bytes_;
    const u64 index = block + block / chunk_blocks_;
    std::array<std::byte, sizeof(u64)> bytes{};
    TRY(file_->read_exactly(block_table_.offset + index * sizeof(u64), bytes));
    const u64 entry = little_endian<u64>(bytes, 0);
    DiskPiece piece;
    piece.length = std::min({length, block_bytes_ - within, size() - offset});
    switch (entry & 7) {
    case NotPresent:
    case Undefined:
    case Zeroed:
    case Unmapped: return piece;
    case Present: break;
    default: return damaged("a block in a state that is none of a disk without parent");
    }
    piece.kind = DiskPiece::Kind::Data;
    piece.file = file_.get();
    piece.offset = (entry >> 20) * kMebibyte + within;
    if (piece.offset < kMebibyte || piece.offset > file_->size() ||
        piece.length > file_->size() - piece.offset)
        return damaged("a block lies outside of it");
    return piece;
}

} // namespace tandem::machine
