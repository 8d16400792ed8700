#include "machine/boot/x86/pvh.h"

#include "machine/boot/acpi/byte_writer.h"
#include "machine/boot/file_bytes.h"

#include <elf.h>

#include <algorithm>

namespace tandem::machine::x86 {
namespace {

constexpr u32 kPhys32Entry = 18; ///< XEN_ELFNOTE_PHYS32_ENTRY
constexpr u32 kMagic = 0x336e'c578, kVersion = 1;
constexpr u64 kInfoSize = 56, kModuleSize = 32;

std::optional<u32> entry_in_notes(std::span<const std::byte> notes) {
    using namespace std::string_view_literals;
    while (notes.size() >= sizeof(Elf64_Nhdr)) {
        const u64 name_size = read_le<u32>(notes, 0), size = read_le<u32>(notes, 4);
        const u32 type = read_le<u32>(notes, 8);
        const u64 at = sizeof(Elf64_Nhdr) + align_up(name_size, 4);
        if (type == kPhys32Entry && name_size == 4 && has_text(notes, 12, "Xen\0"sv) && size >= 4 &&
            at <= notes.size() && notes.size() - at >= size)
            return read_le<u32>(notes, at);
        notes = notes.subspan(std::min<u64>(notes.size(), at + align_up(size, 4)));
    }
    return std::nullopt;
}

} // namespace

std::optional<u32> pvh_entry(std::span<const std::byte> elf) {
    Elf64_Ehdr header{};
    if (elf.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, elf.data(), sizeof header);
    for (u64 i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        const u64 at = header.e_phoff + i * sizeof segment;
        if (header.e_phoff > elf.size() || at > elf.size() || elf.size() - at < sizeof segment)
            break;
        std::memcpy(&segment, elf.data() + at, sizeof segment);
        if (segment.p_type != PT_NOTE || segment.p_offset > elf.size() ||
            elf.size() - segment.p_offset < segment.p_filesz)
            continue;
        if (const auto entry = entry_in_notes(elf.subspan(segment.p_offset, segment.p_filesz)))
            return entry;
    }
    return std::nullopt;
}

std::vector<std::byte> pvh_start_info(u64 address, u64 command_line, u64 acpi,
                                      std::optional<PvhModule> module,
                                      std::span<const MemoryArea> memory) {
    const u64 modules = address + kInfoSize, areas = modules + kModuleSize;
    ByteWriter out;
    out.u32_(kMagic).u32_(kVersion).u32_(0).u32_(module.has_value() ? 1 : 0);
    out.u64_(module.has_value() ? modules : 0).u64_(command_line).u64_(acpi);
    out.u64_(areas).u32_(memory.size()).u32_(0);
    const PvhModule first = module.value_or(PvhModule{});
    out.u64_(first.address).u64_(first.size).u64_(0).u64_(0);
    for (const MemoryArea &area : memory)
        out.u64_(area.address).u64_(area.size).u32_(static_cast<u32>(area.kind)).u32_(0);
    const auto bytes = std::as_bytes(std::span(out.bytes()));
    return {bytes.begin(), bytes.end()};
}

} // namespace tandem::machine::x86
