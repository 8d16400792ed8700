#pragma once
/// For tests: records that look like what T2 makes, and a directory to keep them in.
#include "jit/disk_cache/disk_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace tandem::jit::test {

/// A page of guest code, different for each `seed`.
inline std::vector<std::byte> guest_page(unsigned seed) {
    std::vector<std::byte> page(4096);
    for (std::size_t i = 0; i < page.size(); ++i)
        page[i] = static_cast<std::byte>(i * 7 + (i >> 8) + seed * 13);
    return page;
}

/// What ranges hold if all pages are this one.
inline GuestCode guest_code(const std::vector<CodeRange> &ranges,
                            const std::vector<std::byte> &page) {
    GuestCode code;
    for (const CodeRange &range : ranges)
        code.parts.push_back(
            {range, {page.begin() + range.first_byte, page.begin() + range.end_byte}});
    return code;
}

/// Of two blocks, from 0x100 to 0x140, both of them entries.
inline RegionRecord region_record(unsigned seed, u32 guest_instructions = 12) {
    RegionRecord record;
    record.outline = {.mode = 5,
                      .extents = {{0, 0x100, 0x20}, {0, 0x130, 0x10}},
                      .entries = {0x100, 0x130},
                      .exit_targets = {0x80},
                      .ranges = {{.first_byte = 0x100, .end_byte = 0x140}},
                      .guest_instructions = guest_instructions};
    record.guest_code =
        guest_code_of(record.outline, guest_code(record.outline.ranges, guest_page(seed)));
    RegionImage &image = record.image;
    image.code.resize(300 + seed % 50);
    for (std::size_t i = 0; i < image.code.size(); ++i)
        image.code[i] = static_cast<std::byte>(i * 31 + seed);
    image.entry = 64;
    image.relocations = {{.offset = 100, .target = Relocation::Target::ExitLookup, .addend = -4},
                         {.offset = 120, .target = Relocation::Target::Exit, .addend = -4},
                         {.offset = 140, .target = Relocation::Target::Helper, .index = 1}};
    image.constants = {0x123456789abcdef0};
    image.locations = {{HostLocation::Kind::Gpr, 3, 8, 0},
                       {HostLocation::Kind::Xmm, 31, 16, 0},
                       {HostLocation::Kind::Memory, 5, 8, -16},
                       {HostLocation::Kind::WideConstant, 0, 8, 0}};
    image.exits = {{.kind = SideExitKind::Memory,
                    .op = ir::Opcode::Load64,
                    .arguments = 1,
                    .retired = 3,
                    .imm = 77,
                    .insn = 1,
                    .slots = {{.offset = 8, .size = 8}, {.offset = 512, .size = 16}}},
                   {.kind = SideExitKind::Raise, .imm = 1}};
    image.sites = {{.return_offset = 20, .exit = 0, .first_location = 0},
                   {.return_offset = 40, .exit = 1, .first_location = 3}};
    return record;
}

inline u64 first_key(const RegionRecord &record) {
    return entry_keys(record).front();
}

class DirectoryTest : public testing::Test {
protected:
    DirectoryTest() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
    ~DirectoryTest() override { std::filesystem::remove_all(folder_); }

    std::string folder_ = std::filesystem::temp_directory_path() / "tandem-cache-XXXXXX";
};

inline std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_file(const std::string &path, const std::string &content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

} // namespace tandem::jit::test
