#include "machine/debug/elf_symbols.h"

#include <elf.h>

#include <cstring>

namespace tandem::machine {
namespace {

/// One of an array of structures within the file; nothing if it is not all there.
template <typename T>
std::optional<T> entry(std::span<const std::byte> bytes, u64 index) {
    if (index >= bytes.size() / sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof value);
    return value;
}

std::span<const std::byte> part(std::span<const std::byte> file, u64 offset, u64 size) {
    if (offset > file.size() || size > file.size() - offset) return {};
    return file.subspan(offset, size);
}

std::string_view text_at(std::span<const std::byte> strings, u64 offset) {
    if (offset >= strings.size()) return {};
    const std::string_view rest(reinterpret_cast<const char *>(strings.data()) + offset,
                                strings.size() - offset);
    return rest.substr(0, rest.find('\0'));
}

} // namespace

bool is_elf(std::span<const std::byte> file) {
    return file.size() >= SELFMAG && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

Result<> add_elf_symbols(std::span<const std::byte> file, u64 offset, Symbols &symbols) {
    const auto header = entry<Elf64_Ehdr>(file, 0);
    if (!header.has_value() || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_AARCH64)
        return failure("no arm64 ELF file; name one of the guest's");
    const auto sections = part(file, header->e_shoff, u64{header->e_shnum} * sizeof(Elf64_Shdr));
    bool has_any = false;
    for (u64 i = 0; i < header->e_shnum; ++i) {
        const auto table = entry<Elf64_Shdr>(sections, i);
        if (!table.has_value() || (table->sh_type != SHT_SYMTAB && table->sh_type != SHT_DYNSYM))
            continue;
        const auto names = entry<Elf64_Shdr>(sections, table->sh_link);
        if (!names.has_value()) continue;
        const auto strings = part(file, names->sh_offset, names->sh_size);
        const auto entries = part(file, table->sh_offset, table->sh_size);
        for (u64 j = 0; j < entries.size() / sizeof(Elf64_Sym); ++j) {
            const Elf64_Sym symbol = *entry<Elf64_Sym>(entries, j);
            const unsigned type = ELF64_ST_TYPE(symbol.st_info);
            const auto home = entry<Elf64_Shdr>(sections, symbol.st_shndx);
            const std::string_view name = text_at(strings, symbol.st_name);
            // Labels of assembly code often have no type.
            if ((type != STT_FUNC && type != STT_NOTYPE) || name.empty() || !home.has_value() ||
                symbol.st_shndx == SHN_UNDEF || (home->sh_flags & SHF_EXECINSTR) == 0)
                continue;
            symbols.add(symbol.st_value + offset, 't', name);
            has_any = true;
        }
    }
    if (!has_any) return failure("has no symbols of code; name a file that is not stripped");
    return {};
}

} // namespace tandem::machine
