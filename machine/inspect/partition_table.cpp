#include "machine/inspect/partition_table.h"

#include "machine/boot/file_bytes.h"

#include <array>
#include <string_view>

namespace tandem::machine {
namespace {

using namespace std::string_view_literals;

struct GptType {
    std::string_view guid; ///< as stored: the first three fields are little-endian
    PartitionRole role;
};
// clang-format off
// UEFI 2.10 table 5-7 and the Discoverable Partitions Specification.
constexpr std::array kGptTypes{
    // c12a7328-f81f-11d2-ba4b-00a0c93ec93b
    GptType{"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b"sv, PartitionRole::EfiSystem},
    // 21686148-6449-6e6f-744e-656564454649
    GptType{"\x48\x61\x68\x21\x49\x64\x6f\x6e\x74\x4e\x65\x65\x64\x45\x46\x49"sv, PartitionRole::BiosBoot},
    // b921b045-1df0-41c3-af44-4c6f280d3fae
    GptType{"\x45\xb0\x21\xb9\xf0\x1d\xc3\x41\xaf\x44\x4c\x6f\x28\x0d\x3f\xae"sv, PartitionRole::Arm64Root},
    // 4f68bce3-e8cd-4db1-96e7-fbcaf984b709
    GptType{"\xe3\xbc\x68\x4f\xcd\xe8\xb1\x4d\x96\xe7\xfb\xca\xf9\x84\xb7\x09"sv, PartitionRole::X86Root},
};
// clang-format on

constexpr u64 kMbrTable = 446, kMbrEntrySize = 16;
constexpr u8 kMbrProtective = 0xee, kMbrEfiSystem = 0xef;
constexpr u64 kMbrSector = 512;
/// More than any tool makes; UEFI reserves room for 128.
constexpr u32 kMaxGptEntries = 1024;
constexpr u32 kMinGptEntrySize = 128, kMaxGptEntrySize = 4096;

PartitionRole gpt_role(std::span<const std::byte> entry) {
    for (const GptType &type : kGptTypes)
        if (has_text(entry, 0, type.guid)) return type.role;
    return PartitionRole::Other;
}

/// Adds the sectors first..last, if they begin inside the disk.
void add(PartitionTable &table, const ByteWindow &disk, PartitionRole role, u64 first, u64 last,
         u64 sector) {
    if (last < first || first >= disk.size() / sector) return;
    const u64 end = std::min(last, disk.size() / sector - 1) + 1;
    table.partitions.push_back({role, first * sector, (end - first) * sector});
}

bool read_gpt(PartitionTable &table, const ByteWindow &disk, u64 header_at, u64 sector) {
    const auto header = disk.read(header_at, 92);
    if (!header.has_value() || !has_text(*header, 0, "EFI PART")) return false;
    const u64 entries_at = read_le<u64>(*header, 72);
    const u32 count = read_le<u32>(*header, 80);
    const u32 size = read_le<u32>(*header, 84);
    if (count > kMaxGptEntries || size < kMinGptEntrySize || size > kMaxGptEntrySize ||
        entries_at > disk.size() / sector)
        return false;
    const auto entries = disk.read(entries_at * sector, u64{count} * size);
    if (!entries.has_value()) return false;
    table.kind = PartitionTable::Kind::Gpt;
    static constexpr std::string_view kUnused("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    for (u64 i = 0; i < count; ++i) {
        const auto entry = std::span(*entries).subspan(i * size, size);
        if (!has_text(entry, 0, kUnused))
            add(table, disk, gpt_role(entry), read_le<u64>(entry, 32), read_le<u64>(entry, 40),
                sector);
    }
    return true;
}

} // namespace

PartitionTable read_partition_table(const ByteWindow &disk) {
    PartitionTable table;
    for (const u64 sector : {u64{512}, u64{4096}}) {
        if (disk.size() < 2 * sector) continue;
        // The backup at the end serves when the first header is damaged.
        if (read_gpt(table, disk, sector, sector) ||
            read_gpt(table, disk, (disk.size() / sector - 1) * sector, sector))
            return table;
    }
    const auto sector = disk.read(0, kMbrSector);
    if (!sector.has_value() || read_le<u16>(*sector, 510) != 0xaa55) return table;
    for (u64 i = 0; i < 4; ++i) {
        const u64 at = kMbrTable + i * kMbrEntrySize;
        const u8 type = read_le<u8>(*sector, at + 4);
        const u64 first = read_le<u32>(*sector, at + 8), count = read_le<u32>(*sector, at + 12);
        if (type == 0 || type == kMbrProtective || count == 0) continue;
        table.kind = PartitionTable::Kind::Mbr;
        add(table, disk, type == kMbrEfiSystem ? PartitionRole::EfiSystem : PartitionRole::Other,
            first, first + count - 1, kMbrSector);
    }
    return table;
}

} // namespace tandem::machine
