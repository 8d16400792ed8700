#include "machine/inspect/iso9660.h"

#include "machine/boot/file_bytes.h"

namespace tandem::machine {
namespace {

constexpr u64 kSector = 2048, kVirtualSector = 512;
constexpr u64 kPrimaryVolume = 16 * kSector, kBootRecord = 17 * kSector;
// El Torito 1.0, figures 2 to 5.
constexpr u64 kEntrySize = 32;
constexpr u8 kPlatformX86 = 0x00, kPlatformEfi = 0xef;
constexpr u8 kBootable = 0x88, kSectionHeader = 0x90, kLastSectionHeader = 0x91;

void add_entry(IsoImage &iso, const ByteWindow &disk, u8 platform,
               std::span<const std::byte> entry) {
    if (read_le<u8>(entry, 0) != kBootable) return;
    if (platform == kPlatformX86) iso.boots_by_bios = true;
    if (platform != kPlatformEfi) return;
    // UEFI 2.10, 13.3.2.1: a count of 0 or 1 means up to the end of the disk.
    const u64 count = read_le<u16>(entry, 6), start = read_le<u32>(entry, 8);
    iso.efi_images.push_back(
        disk.part(start * kSector, count > 1 ? count * kVirtualSector : disk.size()));
}

} // namespace

std::optional<IsoImage> read_iso9660(const ByteWindow &disk) {
    const auto volume = disk.read(kPrimaryVolume, kSector);
    if (!volume.has_value() || !has_text(*volume, 1, "CD001")) return std::nullopt;
    IsoImage iso;
    iso.label.assign(reinterpret_cast<const char *>(volume->data()) + 40, 32);
    iso.label.erase(iso.label.find_last_not_of(' ') + 1);
    const auto record = disk.read(kBootRecord, kSector);
    if (!record.has_value() || !has_text(*record, 7, "EL TORITO SPECIFICATION")) return iso;
    const auto catalog = disk.read(u64{read_le<u32>(*record, 0x47)} * kSector, kSector);
    if (!catalog.has_value() || read_le<u8>(*catalog, 0) != 1) return iso;
    const auto entry = [&](u64 index) {
        return std::span(*catalog).subspan(index * kEntrySize, kEntrySize);
    };
    const u64 entries = catalog->size() / kEntrySize;
    add_entry(iso, disk, read_le<u8>(*catalog, 1), entry(1));
    for (u64 i = 2; i < entries;) {
        const u8 kind = read_le<u8>(entry(i), 0), platform = read_le<u8>(entry(i), 1);
        if (kind != kSectionHeader && kind != kLastSectionHeader) break;
        const u64 count = read_le<u16>(entry(i), 2);
        ++i;
        for (u64 n = 0; n < count && i < entries; ++n, ++i)
            add_entry(iso, disk, platform, entry(i));
        if (kind == kLastSectionHeader) break;
    }
    return iso;
}

} // namespace tandem::machine
