#include "machine/inspect/image_facts.h"

#include "machine/inspect/ext_reader.h"
#include "machine/inspect/fat_reader.h"
#include "machine/inspect/iso9660.h"
#include "machine/inspect/partition_table.h"
#include "machine/storage/image/open_image.h"

#include <fmt/format.h>

#include <charconv>

namespace tandem::machine {
namespace {

constexpr std::string_view kUseArm64 = "this machine is arm64: use an image built for arm64";

/// The value of NAME in a shell-like file of assignments, such as os-release(5).
std::string assigned_value(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != '=')
            continue;
        line.remove_prefix(name.size() + 1);
        if (line.size() >= 2 && line.front() == '"' && line.back() == '"')
            line = line.substr(1, line.size() - 2);
        std::string value;
        // It goes to a terminal: whoever made the image must not control that.
        for (const char c : line.substr(0, 80)) value += c >= ' ' && c <= '~' ? c : '?';
        return value;
    }
    return {};
}

/// The login of the first person in passwd(5): user IDs from 1000 on, but not nobody's.
std::string first_person(std::string_view passwd) {
    while (!passwd.empty()) {
        const std::size_t end = std::min(passwd.find('\n'), passwd.size());
        const std::string_view line = passwd.substr(0, end);
        passwd.remove_prefix(std::min(end + 1, passwd.size()));
        const std::size_t name_end = line.find(':');
        if (name_end == std::string_view::npos) continue;
        const std::size_t password_end = line.find(':', name_end + 1);
        if (password_end == std::string_view::npos) continue;
        unsigned id = 0;
        const char *first = line.data() + password_end + 1;
        std::from_chars(first, line.data() + line.size(), id);
        const std::string_view name = line.substr(0, name_end);
        const bool plain = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") ==
                           std::string_view::npos;
        if (id >= 1000 && id < 60000 && plain && !name.empty() && name[0] != '-')
            return std::string{name};
    }
    return "root";
}

std::string text_of(const std::optional<std::vector<std::byte>> &bytes) {
    if (!bytes.has_value()) return {};
    return {reinterpret_cast<const char *>(bytes->data()), bytes->size()};
}

std::optional<InstalledSystem> read_system(const ExtReader &files) {
    static constexpr u64 kMaxText = 256 * 1024;
    const auto any = [&](std::initializer_list<std::string_view> paths) {
        return std::ranges::any_of(paths,
                                   [&](std::string_view path) { return files.exists(path); });
    };
    if (!any({"etc/passwd"})) return std::nullopt;
    InstalledSystem system;
    std::string release = text_of(files.read("usr/lib/os-release", kMaxText));
    if (release.empty()) release = text_of(files.read("etc/os-release", kMaxText));
    system.name = assigned_value(release, "PRETTY_NAME");
    system.user = first_person(text_of(files.read("etc/passwd", kMaxText)));
    system.has_cloud_init = any({"usr/bin/cloud-init", "etc/cloud/cloud.cfg"});
    system.has_ssh_server =
        any({"usr/sbin/sshd", "sbin/sshd", "usr/bin/sshd", "usr/sbin/dropbear"});
    return system;
}

/// What the EFI applications of a volume are for: the arm64 one that firmware starts, or one for
/// another machine.
struct EfiVolume {
    std::string boot_file;
    std::string foreign_file;
    const char *foreign_machine = nullptr;
};

void look_for_applications(const FatReader &files, const std::string &folder, EfiVolume &volume) {
    static constexpr u64 kHead = 4096;
    for (const FatReader::Entry &entry : files.list(folder)) {
        if (entry.is_directory || !entry.name.ends_with(".EFI")) continue;
        const std::string path = folder + "/" + entry.name;
        const u16 machine = pe_machine(files.read(path, kHead).value_or(std::vector<std::byte>{}));
        if (machine == kPeArm64) {
            if (volume.boot_file.empty()) volume.boot_file = path;
        } else if (machine != 0 && volume.foreign_machine == nullptr) {
            volume.foreign_file = path;
            volume.foreign_machine = pe_machine_name(machine);
        }
    }
}

EfiVolume look_into(const FatReader &files) {
    // UEFI 2.10, 3.5.1.1: \EFI\BOOT\BOOTAA64.EFI starts without a boot variable.
    EfiVolume volume;
    look_for_applications(files, "EFI/BOOT", volume);
    if (!volume.boot_file.empty()) return volume;
    static constexpr std::size_t kMaxVendors = 64;
    std::size_t vendors = 0;
    for (const FatReader::Entry &entry : files.list("EFI")) {
        if (!entry.is_directory || entry.name.starts_with('.') || entry.name == "BOOT") continue;
        if (++vendors > kMaxVendors) break;
        look_for_applications(files, "EFI/" + entry.name, volume);
    }
    return volume;
}

/// Why there is nothing to boot on a disk without an EFI application for arm64.
std::string obstacle_of(const PartitionTable &table, bool boots_by_bios, const EfiVolume &foreign) {
    if (foreign.foreign_machine != nullptr)
        return fmt::format("boots {} machines ({}); {}", foreign.foreign_machine,
                           foreign.foreign_file, kUseArm64);
    if (boots_by_bios || table.has(PartitionRole::BiosBoot) || table.has(PartitionRole::X86Root))
        return fmt::format("boots x86 machines by their BIOS; {}", kUseArm64);
    if (table.kind == PartitionTable::Kind::None)
        return "has no boot loader; add --kernel F --initrd F --append \"root=/dev/vda rw\"";
    return "has no EFI boot loader for arm64 on an EFI system partition; add --kernel F, or "
           "--bios F for other firmware";
}

} // namespace

void inspect_disk(DiskStore &store, ImageFacts &facts) {
    const ByteWindow disk(store);
    facts.size = disk.size();
    const auto iso = read_iso9660(disk);
    const PartitionTable table = read_partition_table(disk);
    facts.is_iso = iso.has_value();
    if (facts.is_iso)
        facts.description += ", an ISO 9660 image";
    else if (table.kind == PartitionTable::Kind::Gpt)
        facts.description += " with a GPT";
    else if (table.kind == PartitionTable::Kind::Mbr)
        facts.description += " with an MBR";

    std::vector<ByteWindow> volumes;
    if (facts.is_iso) volumes = iso->efi_images;
    for (const Partition &partition : table.partitions)
        if (partition.role == PartitionRole::EfiSystem)
            volumes.push_back(disk.part(partition.offset, partition.size));
    EfiVolume foreign;
    for (const ByteWindow &window : volumes) {
        const auto files = FatReader::open(window);
        if (!files.has_value()) continue;
        EfiVolume volume = look_into(*files);
        if (facts.boot_file.empty()) facts.boot_file = volume.boot_file;
        if (foreign.foreign_machine == nullptr) foreign = std::move(volume);
    }
    if (facts.boot_file.empty())
        facts.obstacle = obstacle_of(table, facts.is_iso && iso->boots_by_bios, foreign);

    std::vector<ByteWindow> roots;
    if (table.partitions.empty()) roots.push_back(disk);
    for (const Partition &partition : table.partitions)
        if (partition.role != PartitionRole::EfiSystem)
            roots.push_back(disk.part(partition.offset, partition.size));
    for (const ByteWindow &root : roots) {
        const auto files = ExtReader::open(root);
        if (!files.has_value()) continue;
        facts.system = read_system(*files);
        if (facts.system.has_value()) return;
    }
}

Result<ImageFacts> inspect_image(const std::string &path) {
    const FileBytes head = TRY(FileBytes::read(path, kSniffBytes));
    const Sniffed what = sniff(head.span());
    ImageFacts facts;
    facts.path = path;
    facts.kind = what.kind;
    facts.description = what.description;
    if (what.kind == FileKind::Unsupported)
        return failure(fmt::format("{}: is {}; {}", path, what.description, what.mend));
    if (what.kind != FileKind::Disk) return facts;
    const OpenedImage image = TRY(open_image(path, {}));
    facts.format = image.format;
    facts.description = fmt::format("a {} disk image", format_name(image.format));
    inspect_disk(*image.store, facts);
    return facts;
}

} // namespace tandem::machine
