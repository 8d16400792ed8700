#include "machine/launch/seed.h"

#include "machine/boot/acpi/byte_writer.h"
#include "support/check.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace tandem::machine {
namespace {

// Microsoft FAT specification 1.03.
constexpr u32 kSector = 512, kSectorsPerCluster = 8, kCluster = kSector * kSectorsPerCluster;
constexpr u32 kReservedSectors = 1, kFats = 2, kRootEntries = 512;
constexpr u32 kRootSectors = kRootEntries * 32 / kSector;
constexpr u32 kMinClusters = 16, kMaxClusters = 4084;
constexpr u8 kMedia = 0xf8, kLabelAttribute = 0x08, kArchiveAttribute = 0x20;
constexpr u32 kEndOfChain = 0xfff;
constexpr u32 kFirstDay = 0x21; ///< 1 January 1980
constexpr std::size_t kLongPart = 13;
constexpr u8 kLongAttribute = 0x0f, kLastLongPart = 0x40;

u32 clusters_for(std::size_t bytes) {
    return static_cast<u32>((bytes + kCluster - 1) / kCluster);
}

/// "user-data", the first file: "USER-D~1   "
std::string short_alias(const std::string &name, std::size_t index) {
    std::string alias;
    for (const char c : name.substr(0, 6))
        alias += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c;
    alias += fmt::format("~{}", index + 1);
    alias.resize(11, ' ');
    return alias;
}

u8 alias_checksum(const std::string &alias) {
    u8 sum = 0;
    for (const char c : alias)
        sum = static_cast<u8>(((sum & 1) << 7) + (sum >> 1) + static_cast<u8>(c));
    return sum;
}

void add_long_name(ByteWriter &root, const std::string &name, u8 checksum) {
    const std::size_t parts = (name.size() + kLongPart - 1) / kLongPart;
    for (std::size_t part = parts; part > 0; --part) {
        std::array<u16, kLongPart> units{};
        for (std::size_t i = 0; i < kLongPart; ++i) {
            const std::size_t at = (part - 1) * kLongPart + i;
            units[i] = at < name.size()    ? static_cast<u16>(name[at])
                       : at == name.size() ? u16{0}
                                           : u16{0xffff};
        }
        root.u8_(part | (part == parts ? kLastLongPart : 0));
        for (std::size_t i = 0; i < 5; ++i) root.u16_(units[i]);
        root.u8_(kLongAttribute).u8_(0).u8_(checksum);
        for (std::size_t i = 5; i < 11; ++i) root.u16_(units[i]);
        root.u16_(0);
        for (std::size_t i = 11; i < kLongPart; ++i) root.u16_(units[i]);
    }
}

void add_short_entry(ByteWriter &root, const std::string &name, u8 attributes, u32 cluster,
                     std::size_t size) {
    root.text(name, 11).u8_(attributes).zeros(4);
    root.u16_(kFirstDay).u16_(kFirstDay).u16_(0).u16_(0).u16_(kFirstDay);
    root.u16_(cluster).u32_(size);
}

void set_fat_entry(std::vector<u8> &fat, u32 cluster, u32 value) {
    const std::size_t at = cluster * 3 / 2;
    if ((cluster & 1) == 0) {
        fat[at] = static_cast<u8>(value);
        fat[at + 1] = static_cast<u8>((fat[at + 1] & 0xf0) | value >> 8);
    } else {
        fat[at] = static_cast<u8>((fat[at] & 0x0f) | value << 4);
        fat[at + 1] = static_cast<u8>(value >> 4);
    }
}

} // namespace

std::vector<std::byte> build_fat_volume(const std::string &label,
                                        const std::vector<VolumeFile> &files) {
    u32 clusters = 0;
    for (const VolumeFile &file : files) clusters += clusters_for(file.content.size());
    clusters = std::max(clusters, kMinClusters);
    CHECK(clusters <= kMaxClusters);
    const u32 fat_sectors = ((clusters + 2) * 3 / 2 + kSector) / kSector;
    const u32 sectors =
        kReservedSectors + kFats * fat_sectors + kRootSectors + clusters * kSectorsPerCluster;

    ByteWriter volume;
    volume.u8_(0xeb).u8_(0x3c).u8_(0x90).text("TANDEM", 8);
    volume.u16_(kSector).u8_(kSectorsPerCluster).u16_(kReservedSectors).u8_(kFats);
    volume.u16_(kRootEntries).u16_(sectors < 0x1'0000 ? sectors : 0).u8_(kMedia);
    volume.u16_(fat_sectors).u16_(63).u16_(255).u32_(0).u32_(sectors < 0x1'0000 ? 0 : sectors);
    volume.u8_(0x80).u8_(0).u8_(0x29).u32_(0x7a4d'e301).text(label, 11).text("FAT12", 8);
    volume.zeros(kSector - 2 - volume.size()).u16_(0xaa55);

    std::vector<u8> fat(fat_sectors * kSector);
    set_fat_entry(fat, 0, 0xf00 | kMedia);
    set_fat_entry(fat, 1, kEndOfChain);
    ByteWriter root, data;
    add_short_entry(root, label, kLabelAttribute, 0, 0);
    u32 next = 2;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const VolumeFile &file = files[i];
        const u32 count = clusters_for(file.content.size());
        const std::string alias = short_alias(file.name, i);
        add_long_name(root, file.name, alias_checksum(alias));
        add_short_entry(root, alias, kArchiveAttribute, count != 0 ? next : 0, file.content.size());
        for (u32 n = 1; n <= count; ++n, ++next)
            set_fat_entry(fat, next, n == count ? kEndOfChain : next + 1);
        data.text(file.content, std::size_t{count} * kCluster, '\0');
    }
    CHECK(root.size() <= kRootSectors * kSector);
    root.zeros(kRootSectors * kSector - root.size());
    for (u32 copy = 0; copy < kFats; ++copy) volume.append(fat);
    volume.append(root.bytes()).append(data.bytes());
    volume.zeros(std::size_t{sectors} * kSector - volume.size());
    const auto bytes = std::as_bytes(std::span(volume.bytes()));
    return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> build_seed(const SeedContent &content) {
    using nlohmann::json;
    // JSON is YAML as well, and needs no quoting rules of its own.
    const json user = {{"name", content.login},
                       {"sudo", "ALL=(ALL) NOPASSWD:ALL"},
                       {"shell", "/bin/bash"},
                       {"lock_passwd", true},
                       {"ssh_authorized_keys", content.keys}};
    const json user_data = {{"hostname", content.host_name},
                            {"users", json::array({"default", user})},
                            {"ssh_authorized_keys", content.keys},
                            {"growpart", {{"mode", "auto"}, {"devices", {"/"}}}},
                            {"resize_rootfs", true}};
    const std::string text = "#cloud-config\n" + user_data.dump(1) + "\n";
    const json meta_data = {
        {"instance-id", fmt::format("tandem-{:016x}", XXH64(text.data(), text.size(), 0))},
        {"local-hostname", content.host_name}};
    return build_fat_volume("cidata",
                            {{"user-data", text}, {"meta-data", meta_data.dump(1) + "\n"}});
}

} // namespace tandem::machine
