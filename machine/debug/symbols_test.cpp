#include "machine/debug/elf_symbols.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

namespace tandem::machine {
namespace {

TEST(Symbols, NamesTheNearestCodeBelow) {
    Symbols symbols;
    ASSERT_TRUE(symbols.parse("ffff800080000000 T _text\n"
                              "0000000000400100 t helper\n"
                              "                 U puts\n"
                              "0000000000400180 D data\n"
                              "0000000000400180 t $x\n"
                              "0000000000400200 W main\t[module]\n"));
    EXPECT_EQ(symbols.name(0x4000ff), "");
    EXPECT_EQ(symbols.name(0x400100), "helper+0x0");
    EXPECT_EQ(symbols.name(0x400190), "helper+0x90");
    EXPECT_EQ(symbols.name(0x400204), "main+0x4");
    EXPECT_EQ(symbols.name(0x10000000), "");
    EXPECT_EQ(symbols.name(0xffff'8000'8000'0010), "_text+0x10");
}

TEST(Symbols, RefusesOtherText) {
    Symbols symbols;
    EXPECT_FALSE(symbols.parse("\x7f"
                               "ELF\n"));
    EXPECT_FALSE(symbols.parse("400100 main\n"));
    const Result<> missing = symbols.read("/no/such/file");
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().message,
              "--symbols /no/such/file: No such file or directory; name a program of the guest or "
              "what nm printed of it");
}

TEST(Symbols, AreHigherInMemoryByAnOffset) {
    const auto path = std::filesystem::temp_directory_path() / "tandem-symbols@0x-test";
    std::ofstream(path) << "400100 T helper\n";
    Symbols symbols;
    ASSERT_TRUE(symbols.read(path.string() + "@0x1000").has_value());
    EXPECT_EQ(symbols.nearest(0x401108)->name, "helper");
    EXPECT_EQ(symbols.nearest(0x401108)->address, 0x401100u);
    EXPECT_FALSE(symbols.nearest(0x400100).has_value());
    ASSERT_TRUE(symbols.read(path.string()).has_value()); // the name's own @ is no offset
    EXPECT_TRUE(symbols.nearest(0x400100).has_value());
    std::filesystem::remove(path);
}

/// A symbol table with one function, one object and one undefined symbol.
std::vector<std::byte> make_elf() {
    struct {
        Elf64_Ehdr header{};
        std::array<Elf64_Shdr, 4> sections{};
        std::array<Elf64_Sym, 4> symbols{};
        std::array<char, 16> strings{"\0main\0data\0"};
    } file;
    std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    file.header.e_ident[EI_DATA] = ELFDATA2LSB;
    file.header.e_machine = EM_AARCH64;
    file.header.e_shoff = offsetof(decltype(file), sections);
    file.header.e_shnum = 4;
    file.sections[1].sh_flags = SHF_EXECINSTR;
    file.sections[2].sh_type = SHT_SYMTAB;
    file.sections[2].sh_link = 3;
    file.sections[2].sh_offset = offsetof(decltype(file), symbols);
    file.sections[2].sh_size = sizeof file.symbols;
    file.sections[3].sh_offset = offsetof(decltype(file), strings);
    file.sections[3].sh_size = sizeof file.strings;
    file.symbols[1] = {.st_name = 1,
                       .st_info = STT_FUNC,
                       .st_other = 0,
                       .st_shndx = 1,
                       .st_value = 0x400,
                       .st_size = 4};
    file.symbols[2] = {.st_name = 6,
                       .st_info = STT_OBJECT,
                       .st_other = 0,
                       .st_shndx = 1,
                       .st_value = 0x500,
                       .st_size = 4};
    file.symbols[3] = {.st_name = 1,
                       .st_info = STT_FUNC,
                       .st_other = 0,
                       .st_shndx = 0,
                       .st_value = 0x600,
                       .st_size = 4};
    const auto bytes = std::as_bytes(std::span(&file, 1));
    return {bytes.begin(), bytes.end()};
}

TEST(ElfSymbols, AreThoseOfCode) {
    Symbols symbols;
    ASSERT_TRUE(add_elf_symbols(make_elf(), 0x10, symbols).has_value());
    EXPECT_EQ(symbols.nearest(0x700)->name, "main");
    EXPECT_EQ(symbols.nearest(0x700)->address, 0x410u);
}

TEST(ElfSymbols, SurvivesAnything) {
    const std::vector<std::byte> sound = make_elf();
    std::mt19937 random(3);
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::byte> damaged = sound;
        damaged.resize(damaged.size() - random() % 64);
        for (int i = 0; i < 4; ++i)
            damaged[16 + random() % (damaged.size() - 16)] = static_cast<std::byte>(random());
        Symbols symbols;
        const Result<> result = add_elf_symbols(damaged, 0, symbols);
        if (!result.has_value()) {
            EXPECT_FALSE(result.error().message.empty());
        }
    }
}

} // namespace
} // namespace tandem::machine
