#include "machine/boot/kernel_image.h"

#include "machine/boot/decompress.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

constexpr u64 kBase = 0x4000'0000;
constexpr u64 kSize = 64u << 20;

template <typename T>
void put(std::string &bytes, std::size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::string image(u64 text_offset = 0, u64 image_size = 0x20000, std::size_t bytes = 0x10000) {
    std::string file(bytes, 'k');
    std::memset(file.data(), 0, 64);
    put<u64>(file, 8, text_offset);
    put<u64>(file, 16, image_size);
    put<u64>(file, 24, 0xa);
    std::memcpy(file.data() + 56, "ARM\x64", 4);
    return file;
}

std::string gzip(const std::string &in) {
    std::string out(compressBound(in.size()) + 64, '\0');
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef *>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(const std::string &in) {
    std::string out(ZSTD_compressBound(in.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 3));
    return out;
}

std::string zboot(const std::string &payload, std::string_view compression) {
    std::string file(64, '\0');
    std::memcpy(file.data(), "MZ\0\0zimg", 8);
    put<u32>(file, 8, 64);
    put<u32>(file, 12, static_cast<u32>(payload.size()));
    std::memcpy(file.data() + 24, compression.data(), compression.size());
    return file + payload + std::string(100, 'p');
}

struct Segment {
    u64 vaddr, paddr;
    std::string bytes;
    u64 memory_size;
};

std::string elf(u64 entry, const std::vector<Segment> &segments, u16 machine = EM_AARCH64) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = machine;
    header.e_entry = entry;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<u16>(segments.size());
    std::string file(sizeof header + segments.size() * sizeof(Elf64_Phdr), '\0');
    put(file, 0, header);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        Elf64_Phdr row{};
        row.p_type = PT_LOAD;
        row.p_offset = file.size();
        row.p_vaddr = segments[i].vaddr;
        row.p_paddr = segments[i].paddr;
        row.p_filesz = segments[i].bytes.size();
        row.p_memsz = segments[i].memory_size;
        put(file, sizeof header + i * sizeof row, row);
        file += segments[i].bytes;
    }
    return file;
}

class KernelImageTest : public testing::Test {
protected:
    KernelImageTest()
        : path((std::filesystem::temp_directory_path() /
                ("kernel-" + std::to_string(::getpid()) + "-" +
                 testing::UnitTest::GetInstance()->current_test_info()->name()))
                   .string()) {}
    ~KernelImageTest() override { std::filesystem::remove(path); }

    Result<KernelImage> load(const std::string &content, u64 size = kSize) {
        std::ofstream(path, std::ios::binary)
            .write(content.data(), static_cast<std::streamsize>(content.size()));
        return load_kernel(path, kBase, size);
    }
    /// The message of a failure, checked to be one line "PATH: reason; mend".
    std::string error(const std::string &content, u64 size = kSize) {
        const auto kernel = load(content, size);
        if (kernel.has_value()) return "it loaded";
        const std::string &message = kernel.error().message;
        EXPECT_TRUE(message.starts_with(path + ": ")) << message;
        EXPECT_NE(message.find("; "), std::string::npos) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        return message.substr(path.size());
    }
    std::string path;
};

#define EXPECT_ERROR(content, part) EXPECT_NE(error content.find(part), std::string::npos)

TEST_F(KernelImageTest, LoadsImages) {
    const auto kernel = load(image());
    ASSERT_TRUE(kernel.has_value()) << kernel.error().message;
    EXPECT_TRUE(kernel->linux_protocol);
    EXPECT_EQ(kernel->entry, kBase + (2u << 20)) << "the device tree is below";
    EXPECT_EQ(kernel->end(), kernel->entry + 0x20000);
    EXPECT_EQ(kernel->segments[0].bytes.size(), 0x10000u);
    EXPECT_EQ(load(image(0x80000))->entry, kBase + 0x80000);
    EXPECT_EQ(load(image(0, 0))->entry, kBase + 0x80000) << "before Linux 3.17";
}

TEST_F(KernelImageTest, LoadsWrappedImages) {
    for (const std::string &file :
         {gzip(image()), zstd(image()), zboot(gzip(image()), "gzip"), zboot(zstd(image()), "zstd"),
          gzip(zboot(zstd(image()), "zstd"))}) {
        const auto kernel = load(file);
        ASSERT_TRUE(kernel.has_value()) << kernel.error().message;
        EXPECT_EQ(kernel->segments[0].bytes.size(), 0x10000u);
        EXPECT_EQ(kernel->segments[0].bytes[0x8000], std::byte{'k'});
    }
}

TEST_F(KernelImageTest, LoadsElf) {
    const auto kernel =
        load(elf(0xffff'8000'0000'0010, {{0xffff'8000'0000'0000, kBase + 0x20'0000, "code", 4},
                                         {0xffff'8000'0010'0000, kBase + 0x30'0000, "", 4096}}));
    ASSERT_TRUE(kernel.has_value()) << kernel.error().message;
    EXPECT_EQ(kernel->segments.size(), 2u);
    EXPECT_EQ(kernel->lowest(), kBase + 0x20'0000);
    EXPECT_EQ(kernel->end(), kBase + 0x30'1000);
    EXPECT_EQ(load(elf(kBase + 2, {{kBase, kBase, "code", 4}}))->entry, kBase + 2);
    EXPECT_EQ(load(elf(0xffff'0002, {{0xffff'0000, kBase + 64, "code", 4}}))->entry, kBase + 66)
        << "entry points are virtual, the MMU is off";
}

TEST_F(KernelImageTest, NamesWrongArchitectures) {
    std::string x86(0x1000, '\0');
    std::memcpy(x86.data() + 0x202, "HdrS", 4);
    EXPECT_ERROR((x86), "x86 Linux kernel");
    std::string arm32(0x1000, '\0');
    put<u32>(arm32, 0x24, 0x016f2818);
    EXPECT_ERROR((arm32), "32-bit ARM Linux kernel");
    EXPECT_ERROR((elf(0, {}, EM_X86_64)), "x86-64");
    EXPECT_ERROR((elf(0, {}, EM_ARM)), "32-bit ARM");
    EXPECT_ERROR((gzip(x86)), "does not contain an arm64 kernel");
    std::string pe(0x200, '\0');
    std::memcpy(pe.data(), "MZ", 2);
    put<u32>(pe, 0x3c, 0x80);
    std::memcpy(pe.data() + 0x80, "PE\0\0", 4);
    put<u16>(pe, 0x84, 0x8664);
    EXPECT_ERROR((pe), "EFI application for x86-64");
    put<u16>(pe, 0x84, 0xaa64);
    EXPECT_ERROR((pe), "--bios");
    std::string big = image();
    big[24] = 0xb;
    EXPECT_ERROR((big), "big-endian");
}

TEST_F(KernelImageTest, NoticesTruncation) {
    EXPECT_ERROR((image().substr(0, 40)), "truncated");
    const std::string zipped = gzip(image());
    EXPECT_ERROR((zipped.substr(0, zipped.size() / 2)), "truncated");
    const std::string zstded = zstd(image());
    EXPECT_ERROR((zstded.substr(0, zstded.size() / 2)), "truncated");
    EXPECT_ERROR((zboot(gzip(image()), "gzip").substr(0, 80)), "truncated");
    const std::string program = elf(kBase, {{kBase, kBase, std::string(100, 'c'), 100}});
    EXPECT_ERROR((program.substr(0, program.size() - 1)), "truncated");
    EXPECT_ERROR((program.substr(0, 70)), "truncated");
    std::string with_sections = image();
    put<u32>(with_sections, 0x3c, 0x40);
    std::memcpy(with_sections.data(), "MZ", 2);
    std::memcpy(with_sections.data() + 0x40, "PE\0\0\x64\xaa\1\0", 8);
    put<u16>(with_sections, 0x54, 0);
    put<u32>(with_sections, 0x58 + 16, 0x1000);
    put<u32>(with_sections, 0x58 + 20, 0x10000);
    EXPECT_ERROR((with_sections), "truncated");
}

TEST_F(KernelImageTest, NoticesDamageAndOtherFiles) {
    std::string zipped = gzip(image());
    zipped[zipped.size() - 6] = static_cast<char>(zipped[zipped.size() - 6] ^ 1); // checksum
    EXPECT_ERROR((zipped), "damaged");
    EXPECT_ERROR((zboot(image(), "lzma")), "lzma");
    EXPECT_ERROR(("QFI\xfb" + std::string(100, 0)), "qcow2");
    EXPECT_ERROR((std::string(4096, 'x')), "neither");
    std::string disk(4096, '\0');
    put<u16>(disk, 510, 0xaa55);
    EXPECT_ERROR((disk), "--disk");
    EXPECT_ERROR(("\xfd"
                  "7zXZ" +
                  std::string(100, 0)),
                 "xz");
}

TEST_F(KernelImageTest, NoticesWhatDoesNotFit) {
    EXPECT_ERROR((image(0, u64{1} << 40)), "--memory");
    EXPECT_ERROR((image(~u64{0} - 10)), "--memory");
    EXPECT_ERROR((elf(0, {{0, 0, "code", 4}})), "outside RAM");
    EXPECT_ERROR((elf(kBase, {{kBase, kBase, "code", ~u64{0}}})), "outside RAM");
    EXPECT_ERROR((elf(kBase, {{kBase, ~u64{0} - 2, "code", 4}})), "outside RAM");
    EXPECT_ERROR((gzip(std::string(1u << 20, '\0')), 4096), "more than");
}

TEST_F(KernelImageTest, NoticesUnreadableFiles) {
    EXPECT_NE(
        load_kernel("/nonexistent/kernel", kBase, kSize).error().message.find("check the path"),
        std::string::npos);
    EXPECT_NE(load_kernel("/", kBase, kSize).error().message.find("directory"), std::string::npos);
    EXPECT_ERROR((""), "empty");
}

} // namespace
} // namespace tandem::machine
