#include "machine/inspect/fat_reader.h"

#include "machine/boot/file_bytes.h"

#include <bit>
#include <utility>

namespace tandem::machine {
namespace {

constexpr u64 kEntrySize = 32;
constexpr u8 kVolumeLabel = 0x08, kDirectory = 0x10;
constexpr u8 kDeleted = 0xe5;
/// A directory has at most 65,536 entries.
constexpr u64 kMaxDirectory = 65536 * kEntrySize;
// FAT specification, "FAT Type Determination".
constexpr u32 kFat12Clusters = 4085, kFat16Clusters = 65525;

std::string short_name(std::span<const std::byte> entry) {
    const auto field = [entry](u64 at, u64 length) {
        std::string text(reinterpret_cast<const char *>(entry.data()) + at, length);
        text.erase(text.find_last_not_of(' ') + 1);
        return text;
    };
    const std::string base = field(0, 8), extension = field(8, 3);
    return extension.empty() ? base : base + "." + extension;
}

std::string upper_case(std::string_view text) {
    std::string result{text};
    for (char &c : result)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return result;
}

/// Only FAT32 has the upper half of a cluster's number in an entry.
enum class ClusterNumber : u8 { Bits16, Bits32 };

std::vector<FatReader::Entry> entries_of(std::span<const std::byte> directory,
                                         ClusterNumber number) {
    std::vector<FatReader::Entry> entries;
    for (u64 at = 0; at + kEntrySize <= directory.size(); at += kEntrySize) {
        const auto raw = directory.subspan(at, kEntrySize);
        const u8 first = read_le<u8>(raw, 0), attributes = read_le<u8>(raw, 11);
        if (first == 0) break;
        // A part of a long name has the label's bit as well.
        if (first == kDeleted || (attributes & kVolumeLabel) != 0) continue;
        const u32 upper = number == ClusterNumber::Bits32 ? read_le<u16>(raw, 20) : 0;
        entries.push_back({short_name(raw), (attributes & kDirectory) != 0,
                           upper << 16 | read_le<u16>(raw, 26), read_le<u32>(raw, 28)});
    }
    return entries;
}

} // namespace

std::optional<FatReader> FatReader::open(const ByteWindow &volume) {
    const auto sector = volume.read(0, 512);
    if (!sector.has_value() || read_le<u16>(*sector, 510) != 0xaa55) return std::nullopt;
    const u64 bytes_per_sector = read_le<u16>(*sector, 11);
    const u64 sectors_per_cluster = read_le<u8>(*sector, 13);
    const u64 reserved = read_le<u16>(*sector, 14), fats = read_le<u8>(*sector, 16);
    const u64 root_entries = read_le<u16>(*sector, 17);
    const u64 sectors16 = read_le<u16>(*sector, 19), fat_size16 = read_le<u16>(*sector, 22);
    const u64 sectors = sectors16 != 0 ? sectors16 : read_le<u32>(*sector, 32);
    const u64 fat_size = fat_size16 != 0 ? fat_size16 : read_le<u32>(*sector, 36);
    if (!std::has_single_bit(bytes_per_sector) || bytes_per_sector < 512 ||
        bytes_per_sector > 4096 || !std::has_single_bit(sectors_per_cluster) || reserved == 0 ||
        fats == 0 || fats > 2 || fat_size == 0)
        return std::nullopt;
    FatReader reader(volume);
    reader.cluster_size_ = bytes_per_sector * sectors_per_cluster;
    reader.fat_at_ = reserved * bytes_per_sector;
    reader.root_at_ = (reserved + fats * fat_size) * bytes_per_sector;
    reader.root_size_ = root_entries * kEntrySize;
    const u64 root_sectors = (reader.root_size_ + bytes_per_sector - 1) / bytes_per_sector;
    reader.data_at_ = reader.root_at_ + root_sectors * bytes_per_sector;
    const u64 metadata = reader.data_at_ / bytes_per_sector;
    if (sectors <= metadata) return std::nullopt;
    reader.clusters_ = static_cast<u32>((sectors - metadata) / sectors_per_cluster);
    if (reader.clusters_ < kFat12Clusters) {
        reader.width_ = Width::Fat12;
    } else if (reader.clusters_ < kFat16Clusters) {
        reader.width_ = Width::Fat16;
    } else {
        reader.width_ = Width::Fat32;
        reader.root_cluster_ = read_le<u32>(*sector, 44);
    }
    return reader;
}

u32 FatReader::next_cluster(u32 cluster) const {
    u64 at = 0, length = 2;
    switch (width_) {
    case Width::Fat12: at = u64{cluster} * 3 / 2; break;
    case Width::Fat16: at = u64{cluster} * 2; break;
    case Width::Fat32:
        at = u64{cluster} * 4;
        length = 4;
        break;
    }
    const auto bytes = volume_.read(fat_at_ + at, length);
    if (!bytes.has_value()) return 0;
    switch (width_) {
    case Width::Fat12: {
        const u32 pair = read_le<u16>(*bytes, 0);
        return (cluster & 1) != 0 ? pair >> 4 : pair & 0xfff;
    }
    case Width::Fat16: return read_le<u16>(*bytes, 0);
    case Width::Fat32: return read_le<u32>(*bytes, 0) & 0x0fff'ffff;
    }
    return 0;
}

std::vector<std::byte> FatReader::read_chain(u32 cluster, u64 limit) const {
    std::vector<std::byte> bytes;
    // Every end mark and bad cluster is a number beyond the last cluster. The limit ends loops too.
    while (bytes.size() < limit && cluster >= 2 && cluster - 2 < clusters_) {
        const u64 wanted = std::min(limit - bytes.size(), cluster_size_);
        const auto part = volume_.read(data_at_ + u64{cluster - 2} * cluster_size_, wanted);
        if (!part.has_value()) break;
        bytes.insert(bytes.end(), part->begin(), part->end());
        cluster = next_cluster(cluster);
    }
    return bytes;
}

std::vector<FatReader::Entry> FatReader::entries(const Entry &directory) const {
    if (width_ == Width::Fat32) {
        const u32 cluster = directory.cluster != 0 ? directory.cluster : root_cluster_;
        return entries_of(read_chain(cluster, kMaxDirectory), ClusterNumber::Bits32);
    }
    // Cluster 0 stands for the root directory, which has a place of its own here.
    const auto bytes = directory.cluster == 0 ? volume_.read_some(root_at_, root_size_)
                                              : read_chain(directory.cluster, kMaxDirectory);
    return entries_of(bytes, ClusterNumber::Bits16);
}

std::optional<FatReader::Entry> FatReader::find(std::string_view path) const {
    Entry entry;
    entry.is_directory = true; // the root
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string name = upper_case(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
        if (!entry.is_directory) return std::nullopt;
        const auto candidates = entries(entry);
        const auto found = std::ranges::find(candidates, name, &Entry::name);
        if (found == candidates.end()) return std::nullopt;
        entry = *found;
    }
    return entry;
}

std::vector<FatReader::Entry> FatReader::list(std::string_view path) const {
    const auto directory = find(path);
    if (!directory.has_value() || !directory->is_directory) return {};
    return entries(*directory);
}

std::optional<std::vector<std::byte>> FatReader::read(std::string_view path, u64 limit) const {
    const auto entry = find(path);
    if (!entry.has_value() || entry->is_directory) return std::nullopt;
    return read_chain(entry->cluster, std::min<u64>(limit, entry->size));
}

} // namespace tandem::machine
