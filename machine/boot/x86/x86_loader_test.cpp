#include "machine/boot/x86/x86_loader.h"

#include "machine/boot/file_bytes.h"
#include "machine/boot/x86/low_memory.h"
#include "machine/boot/x86/memory_list.h"

#include <asm/bootparam.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace tandem::machine::x86 {
namespace {

constexpr u64 kMiB = 1u << 20;

class X86LoaderTest : public ::testing::Test {
protected:
    X86LoaderTest() {
        std::filesystem::create_directories(folder_);
        files_.kernel = folder_ + "/kernel";
        files_.acpi = 0xe'0000;
        files_.append = "console=ttyS0 quiet";
        files_.rng_seed.fill(std::byte{7});
    }
    ~X86LoaderTest() override { std::filesystem::remove_all(folder_); }

    static void write(const std::string &path, const std::string &bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
    }
    template <typename T>
    static void put(std::string &bytes, std::size_t at, T value) {
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }

    /// Two sectors of setup code, 64 KiB of the rest.
    static std::string bzimage() {
        std::string image(3 * 512 + 0x1'0000, '\0');
        put<u8>(image, 0x1f1, 2);
        put<u32>(image, 0x1f4, 0x1000); // syssize
        std::memcpy(image.data() + 0x202, "HdrS", 4);
        put<u16>(image, 0x206, 0x20f);
        put<u32>(image, 0x22c, 0x7fff'ffff); // initrd_addr_max
        put<u16>(image, 0x236, 1);           // xloadflags: 64 bits
        put<u32>(image, 0x238, 2047);        // cmdline_size
        put<u64>(image, 0x258, 16 * kMiB);   // pref_address
        put<u32>(image, 0x260, 8 * kMiB);    // init_size
        std::memcpy(image.data() + 3 * 512, "code", 4);
        return image;
    }

    /// One segment at 2 MiB, and a PVH note if `entry` is not 0.
    static std::string elf(u32 entry) {
        std::string file(0x2000, '\0');
        std::memcpy(file.data(),
                    "\x7f"
                    "ELF\x02\x01\x01",
                    7);
        put<u16>(file, 16, 2);
        put<u16>(file, 18, 62);
        put<u64>(file, 24, 2 * kMiB + 16);
        put<u64>(file, 32, 64);
        put<u16>(file, 54, 56);
        put<u16>(file, 56, 2);
        put<u32>(file, 64, 1);
        put<u64>(file, 72, 0x1000);
        put<u64>(file, 80, 0xffff'ffff'8020'0000);
        put<u64>(file, 88, 2 * kMiB);
        put<u64>(file, 96, 0x100);
        put<u64>(file, 104, 0x100);
        put<u64>(file, 24, 0xffff'ffff'8020'0010);
        put<u32>(file, 120, entry != 0 ? 4 : 0);
        put<u64>(file, 128, 0x400);
        put<u64>(file, 152, 20);
        put<u32>(file, 0x400, 4);
        put<u32>(file, 0x404, 4);
        put<u32>(file, 0x408, 18);
        std::memcpy(file.data() + 0x40c, "Xen", 4);
        put<u32>(file, 0x410, entry);
        std::memcpy(file.data() + 0x1000, "text", 4);
        return file;
    }

    Result<Entry> load(const std::string &kernel, u64 ram_size = 64 * kMiB) {
        write(files_.kernel, kernel);
        ram_ = GuestMemory::create(GuestPhysAddr{0}, ram_size, {kHoleStart, kHoleEnd - kHoleStart})
                   .value();
        return load_kernel(files_, *ram_);
    }
    std::string refusal(const std::string &kernel, u64 ram_size = 64 * kMiB) {
        const auto entry = load(kernel, ram_size);
        return entry.has_value() ? "" : entry.error().message;
    }
    template <typename T>
    T at(u64 address) {
        T value;
        std::memcpy(&value, ram_->span(GuestPhysAddr{address}, sizeof value).data(), sizeof value);
        return value;
    }
    std::string text(u64 address) {
        return reinterpret_cast<const char *>(ram_->span(GuestPhysAddr{address}, 64).data());
    }

    const std::string folder_ = ::testing::TempDir() + "/x86_loader_" + std::to_string(::getpid());
    BootFiles files_;
    std::unique_ptr<GuestMemory> ram_;
};

TEST_F(X86LoaderTest, EntersABzImageByThe64BitProtocol) {
    files_.initrd = folder_ + "/initrd";
    write(files_.initrd, std::string(5000, 'i'));
    const Entry entry = load(bzimage()).value();
    EXPECT_EQ(entry.protocol, BootProtocol::Linux64);
    EXPECT_EQ(entry.address, kMiB + 0x200);
    EXPECT_EQ(text(kMiB), "code");
    EXPECT_EQ(at<u32>(kResetVector), 0x1e01'0f2eu) << "in place of a BIOS";
    const auto params = at<boot_params>(entry.info);
    EXPECT_EQ(params.hdr.type_of_loader, 0xff);
    EXPECT_EQ(text(params.hdr.cmd_line_ptr), files_.append);
    EXPECT_EQ(params.acpi_rsdp_addr, 0xe'0000u);
    EXPECT_EQ(params.hdr.ramdisk_size, 5000u);
    EXPECT_EQ(params.hdr.ramdisk_image, 64 * kMiB - 8192) << "as high as it may be, by pages";
    EXPECT_EQ(at<char>(params.hdr.ramdisk_image + 4999), 'i');
    const auto seed = at<setup_data>(params.hdr.setup_data);
    EXPECT_EQ(seed.type, u32{SETUP_RNG_SEED});
    EXPECT_EQ(seed.len, 32u);
    EXPECT_EQ(at<u8>(params.hdr.setup_data + sizeof seed + 31), 7);
    ASSERT_EQ(params.e820_entries, 3);
    EXPECT_EQ(params.e820_table[2].addr, kMiB);
    EXPECT_EQ(params.e820_table[2].size, 63 * kMiB);
}

TEST_F(X86LoaderTest, EntersAnElfFileByItsNote) {
    files_.initrd = folder_ + "/initrd";
    write(files_.initrd, std::string(5000, 'i'));
    const Entry entry = load(elf(0x20'0040)).value();
    EXPECT_EQ(entry.protocol, BootProtocol::Pvh);
    EXPECT_EQ(entry.address, 0x20'0040u);
    EXPECT_EQ(at<u32>(entry.info), 0x336e'c578u);
    EXPECT_EQ(at<u32>(entry.info + 12), 1u) << "a module";
    const u64 module = at<u64>(entry.info + 16);
    EXPECT_EQ(at<u64>(module), 64 * kMiB - 8192);
    EXPECT_EQ(at<u64>(module + 8), 5000u);
    EXPECT_EQ(text(at<u64>(entry.info + 24)), files_.append);
    EXPECT_EQ(at<u64>(entry.info + 32), 0xe'0000u);
    EXPECT_EQ(at<u32>(entry.info + 48), 3u) << "areas";
    EXPECT_EQ(text(2 * kMiB), "text");
    const Entry other = load(elf(0)).value();
    EXPECT_EQ(other.protocol, BootProtocol::Linux64);
    EXPECT_EQ(other.address, 2 * kMiB + 16) << "entry points are virtual";
}

TEST_F(X86LoaderTest, RefusesWhatCannotRun) {
    std::string image = bzimage();
    EXPECT_NE(refusal(image.substr(0, 0x8000)).find("truncated"), std::string::npos);
    EXPECT_NE(refusal(image.substr(0, 0x210)).find("truncated"), std::string::npos);
    EXPECT_NE(refusal(image, 16 * kMiB).find("--memory"), std::string::npos);
    put<u16>(image, 0x236, 0);
    EXPECT_NE(refusal(image).find("32 bits"), std::string::npos);
    image = bzimage();
    put<u64>(image, 0x258, ~u64{0} - 4096); // pref_address
    EXPECT_NE(refusal(image).find("--memory"), std::string::npos);
    std::string low = elf(1);
    put<u64>(low, 88, 0x8000);
    EXPECT_NE(refusal(low).find("1 MiB"), std::string::npos);
    low = elf(1);
    put<u64>(low, 88, 0xc000'0000);
    EXPECT_NE(refusal(low).find("outside RAM"), std::string::npos);
    EXPECT_NE(refusal(std::string(4096, 'x')).find("x86-64"), std::string::npos);
    files_.append = std::string(2048, 'a');
    EXPECT_NE(refusal(bzimage()).find("--append"), std::string::npos);
    files_.append = "";
    files_.initrd = folder_ + "/initrd";
    write(files_.initrd, std::string(41 * kMiB, 'i'));
    EXPECT_NE(refusal(bzimage()).find("initrd"), std::string::npos);
}

TEST(MemoryList, LeavesTheHoleOut) {
    using Kind = MemoryArea::Kind;
    EXPECT_EQ(memory_list(16 * kMiB).back(), (MemoryArea{kMiB, 15 * kMiB, Kind::Ram}));
    const auto large = memory_list(u64{4} << 30);
    ASSERT_EQ(large.size(), 4u);
    EXPECT_EQ(large[2], (MemoryArea{kMiB, kHoleStart - kMiB, Kind::Ram}));
    EXPECT_EQ(large[3], (MemoryArea{kHoleEnd, u64{1} << 30, Kind::Ram}));
}

} // namespace
} // namespace tandem::machine::x86
