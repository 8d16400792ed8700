#include "machine/storage/qcow2/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tandem::machine::qcow2 {
namespace {

std::unexpected<Error> bad(const std::string &name, std::string_view what) {
    return failure(
        fmt::format("{}: damaged qcow2 image: {}; restore it from a backup", name, what));
}

/// A table of `bytes` bytes at `offset` lies in the file format's space, on a cluster boundary.
bool is_place(const Header &header, u64 offset, u64 bytes) {
    return is_aligned(offset, header.cluster_size()) && offset < kMaxOffset &&
           bytes < kMaxOffset - offset;
}

Result<> parse_extensions(Header &header, std::span<const std::byte> head, u64 at, u64 end,
                          const std::string &name) {
    while (at + 8 <= end) {
        const u32 type = load_be<u32>(head.data() + at);
        const u32 length = load_be<u32>(head.data() + at + 4);
        at += 8;
        if (type == kExtensionEnd) return {};
        if (length > end - at) return bad(name, "a header extension is longer than the header");
        const auto data = head.subspan(at, length);
        if (type == kExtensionBackingFormat) {
            header.backing_format.assign(reinterpret_cast<const char *>(data.data()), data.size());
        } else {
            header.extensions.push_back({type, {data.begin(), data.end()}});
        }
        at += align_up(length, 8);
    }
    return {};
}

/// The feature name table, so that a program that lacks a feature can name it.
std::vector<std::byte> feature_names() {
    struct Name {
        u8 type, bit;
        std::string_view text;
    };
    static constexpr std::array kNames{
        Name{0, 0, "dirty bit"},
        Name{0, 1, "corrupt bit"},
        Name{0, 2, "external data file"},
        Name{0, 3, "compression type"},
        Name{0, 4, "extended L2 entries"},
        Name{1, 0, "lazy refcounts"},
        Name{2, 0, "bitmaps"},
        Name{2, 1, "raw external data"},
    };
    std::vector<std::byte> table(kNames.size() * 48);
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        table[i * 48] = std::byte{kNames[i].type};
        table[i * 48 + 1] = std::byte{kNames[i].bit};
        std::memcpy(table.data() + i * 48 + 2, kNames[i].text.data(), kNames[i].text.size());
    }
    return table;
}

} // namespace

Result<Header> parse_header(std::span<const std::byte> head, const std::string &name) {
    if (head.size() < kHeaderLengthV2) return bad(name, "the file is too short for a header");
    const auto u32_at = [&](u64 at) { return load_be<u32>(head.data() + at); };
    const auto u64_at = [&](u64 at) { return load_be<u64>(head.data() + at); };
    if (u32_at(0) != kMagic) return failure(name + ": not a qcow2 image; name its format");
    Header header;
    header.version = u32_at(4);
    if (header.version != 2 && header.version != 3)
        return failure(fmt::format("{}: qcow2 version {}, only 2 and 3 are known; convert it", name,
                                   header.version));
    header.cluster_bits = u32_at(20);
    if (header.cluster_bits < kMinClusterBits || header.cluster_bits > kMaxClusterBits)
        return bad(name, fmt::format("clusters of 2^{} bytes", header.cluster_bits));
    u64 length = kHeaderLengthV2;
    if (header.version == 3) {
        if (head.size() < kHeaderLengthV3) return bad(name, "the file is too short for a header");
        header.incompatible = u64_at(72);
        header.compatible = u64_at(80);
        header.autoclear = u64_at(88);
        header.refcount_order = u32_at(96);
        length = u32_at(100);
        if (length < kHeaderLengthV3 || length > header.cluster_size() || length > head.size())
            return bad(name, fmt::format("a header of {} bytes", length));
        if (length > kHeaderLengthV3)
            header.compression = static_cast<CompressionType>(head[kHeaderLengthV3]);
    }
    header.length = static_cast<u32>(length);
    if ((header.incompatible & ~kKnownIncompatible) != 0)
        return failure(fmt::format("{}: uses unknown qcow2 features {:#x}; convert it with the "
                                   "program that made it",
                                   name, header.incompatible & ~kKnownIncompatible));
    if (header.has(kExternalData))
        return failure(name + ": keeps its data in another file, which is not supported; convert "
                              "it: qemu-img convert -O qcow2 IN OUT");
    if (u32_at(32) != 0)
        return failure(name + ": is encrypted, which is not supported; convert it: "
                              "qemu-img convert");
    if (header.compression != CompressionType::Zlib && header.compression != CompressionType::Zstd)
        return failure(fmt::format("{}: compressed by an unknown method ({}); convert it", name,
                                   static_cast<unsigned>(header.compression)));
    if ((header.compression != CompressionType::Zlib) != header.has(kCompressionType))
        return bad(name, "the compression type contradicts the feature bit");
    if (header.refcount_order > 6)
        return bad(name, fmt::format("refcounts of 2^{} bits", header.refcount_order));
    if (header.has(kExtendedL2) && header.cluster_bits < 14)
        return bad(name, "clusters too small for subclusters");

    header.size = u64_at(24);
    if (header.size > (u64{1} << 62)) return bad(name, "an impossible disk size");
    header.l1_entries = u32_at(36);
    header.l1_offset = u64_at(40);
    header.refcount_table_offset = u64_at(48);
    header.refcount_table_clusters = u32_at(56);
    header.snapshots = u32_at(60);
    header.snapshots_offset = u64_at(64);
    const u64 l1_bytes = u64{header.l1_entries} * 8;
    if (l1_bytes > kMaxL1Bytes) return bad(name, "the L1 table is too large");
    if (header.l1_entries_for(header.size) > header.l1_entries)
        return bad(name, "the L1 table is too small for the disk");
    if (!is_place(header, header.l1_offset, l1_bytes) ||
        (header.l1_entries != 0 && header.l1_offset == 0))
        return bad(name, "the L1 table is misplaced");
    const u64 table_bytes = u64{header.refcount_table_clusters} << header.cluster_bits;
    if (header.refcount_table_clusters == 0) return bad(name, "there is no refcount table");
    if (table_bytes > kMaxRefcountTableBytes) return bad(name, "the refcount table is too large");
    if (!is_place(header, header.refcount_table_offset, table_bytes) ||
        header.refcount_table_offset == 0)
        return bad(name, "the refcount table is misplaced");
    if (header.snapshots > kMaxSnapshots) return bad(name, "too many snapshots");
    if (header.snapshots != 0 &&
        (!is_place(header, header.snapshots_offset, 0) || header.snapshots_offset == 0))
        return bad(name, "the snapshot table is misplaced");

    const u64 backing_offset = header.backing_offset = u64_at(8);
    const u32 backing_length = u32_at(16);
    u64 end = std::min<u64>(head.size(), header.cluster_size());
    if (backing_offset != 0) {
        if (backing_length > kMaxBackingName || backing_length == 0 || backing_offset < length ||
            backing_offset >= end || backing_length > end - backing_offset)
            return bad(name, "the backing file's name is misplaced");
        header.backing_file.assign(reinterpret_cast<const char *>(head.data() + backing_offset),
                                   backing_length);
        if (header.backing_file.find('\0') != std::string::npos)
            return bad(name, "the backing file's name has a NUL in it");
        end = backing_offset;
    }
    TRY(parse_extensions(header, head, length, end, name));
    return header;
}

std::vector<std::byte> header_fields(const Header &header) {
    std::vector<std::byte> bytes(std::min(header.length, kHeaderLengthCompression));
    const auto put32 = [&](u64 at, u32 value) { store_be(bytes.data() + at, value); };
    const auto put64 = [&](u64 at, u64 value) { store_be(bytes.data() + at, value); };
    put32(0, kMagic);
    put32(4, header.version);
    put64(8, header.backing_offset);
    put32(16, static_cast<u32>(header.backing_file.size()));
    put32(20, header.cluster_bits);
    put64(24, header.size);
    put32(36, header.l1_entries);
    put64(40, header.l1_offset);
    put64(48, header.refcount_table_offset);
    put32(56, header.refcount_table_clusters);
    put32(60, header.snapshots);
    put64(64, header.snapshots_offset);
    if (header.version == 3) {
        put64(72, header.incompatible);
        put64(80, header.compatible);
        put64(88, header.autoclear);
        put32(96, header.refcount_order);
        put32(100, header.length);
        if (header.length > kHeaderLengthV3)
            bytes[kHeaderLengthV3] = static_cast<std::byte>(header.compression);
    }
    return bytes;
}

Result<std::vector<std::byte>> header_cluster(Header &header, const std::string &name) {
    header.length = header.version == 2 ? kHeaderLengthV2 : kHeaderLengthCompression;
    header.backing_offset = 0;
    std::vector<std::byte> bytes = header_fields(header);
    const auto append = [&bytes](u32 type, std::span<const std::byte> data) {
        const u64 at = bytes.size();
        bytes.resize(at + 8 + align_up(data.size(), 8));
        store_be(bytes.data() + at, type);
        store_be(bytes.data() + at + 4, static_cast<u32>(data.size()));
        std::ranges::copy(data, bytes.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    };
    if (!header.backing_format.empty())
        append(kExtensionBackingFormat, std::as_bytes(std::span(header.backing_format)));
    bool has_names = false;
    for (const Extension &extension : header.extensions) {
        append(extension.type, extension.data);
        has_names |= extension.type == kExtensionFeatureNames;
    }
    // Where there is no room for names, the image is as good without.
    const std::vector<std::byte> names = feature_names();
    if (header.version == 3 && !has_names &&
        bytes.size() + names.size() + 16 + header.backing_file.size() <= header.cluster_size())
        append(kExtensionFeatureNames, names);
    append(kExtensionEnd, {});
    if (!header.backing_file.empty()) {
        header.backing_offset = bytes.size();
        store_be(bytes.data() + 8, header.backing_offset);
        const auto text = std::as_bytes(std::span(header.backing_file));
        bytes.insert(bytes.end(), text.begin(), text.end());
    }
    if (bytes.size() > header.cluster_size() || header.backing_file.size() > kMaxBackingName)
        return failure(fmt::format("{}: the backing file's name is too long for clusters of {} "
                                   "bytes; use a shorter one",
                                   name, header.cluster_size()));
    bytes.resize(header.cluster_size());
    return bytes;
}

} // namespace tandem::machine::qcow2
