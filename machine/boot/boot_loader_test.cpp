#include "machine/boot/boot_loader.h"

#include <gtest/gtest.h>
#include <libfdt.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

constexpr GuestPhysAddr kBase{0x4000'0000};
constexpr u64 kSize = 16u << 20;

class BootLoaderTest : public testing::Test {
protected:
    BootLoaderTest() {
        directory = std::filesystem::temp_directory_path() /
                    ("boot-" + std::to_string(::getpid()) + "-" +
                     testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::create_directories(directory);
        std::string kernel(4096, 'k');
        const u64 image_size = 8192;
        std::memset(kernel.data(), 0, 64);
        std::memcpy(kernel.data() + 16, &image_size, 8);
        std::memcpy(kernel.data() + 56, "ARM\x64", 4);
        files.kernel = write("kernel", kernel);
    }
    ~BootLoaderTest() override { std::filesystem::remove_all(directory); }

    std::string write(const std::string &name, const std::string &content) {
        const std::string path = directory / name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    Result<BootEntry> load() { return load_boot_files(files, seeds, *ram, tree); }
    const void *blob_at(u64 address) { return ram->span(GuestPhysAddr{address}, 4096).data(); }

    std::filesystem::path directory;
    BootFiles files;
    BootSeeds seeds;
    FdtTree tree;
    std::unique_ptr<GuestMemory> ram = GuestMemory::create(kBase, kSize).value();
};

TEST_F(BootLoaderTest, PlacesEverything) {
    files.initrd = write("initrd", std::string(10'000, 'i'));
    files.append = "console=ttyAMA0";
    const auto entry = load();
    ASSERT_TRUE(entry.has_value()) << entry.error().message;
    EXPECT_EQ(entry->device_tree, kBase.value());
    EXPECT_EQ(entry->entry, kBase.value() + (2u << 20));
    EXPECT_EQ(ram->span(GuestPhysAddr{entry->entry + 4095}, 1)[0], std::byte{'k'});
    const void *blob = blob_at(entry->device_tree);
    ASSERT_EQ(fdt_check_header(blob), 0);
    const int chosen = fdt_path_offset(blob, "/chosen");
    ASSERT_GE(chosen, 0);
    EXPECT_STREQ(static_cast<const char *>(fdt_getprop(blob, chosen, "bootargs", nullptr)),
                 "console=ttyAMA0");
    const auto *start =
        static_cast<const fdt64_t *>(fdt_getprop(blob, chosen, "linux,initrd-start", nullptr));
    const auto *end =
        static_cast<const fdt64_t *>(fdt_getprop(blob, chosen, "linux,initrd-end", nullptr));
    ASSERT_TRUE(start != nullptr && end != nullptr);
    // Properties are aligned to four bytes.
    EXPECT_EQ(fdt64_ld(start), kBase.value() + kSize / 2);
    EXPECT_EQ(fdt64_ld(end) - fdt64_ld(start), 10'000u);
    EXPECT_EQ(ram->span(GuestPhysAddr{fdt64_ld(end) - 1}, 1)[0], std::byte{'i'});
    const int memory = fdt_path_offset(blob, "/memory@40000000");
    const auto *reg = static_cast<const fdt64_t *>(fdt_getprop(blob, memory, "reg", nullptr));
    ASSERT_NE(reg, nullptr);
    EXPECT_EQ(fdt64_ld(reg + 1), kSize);
}

TEST_F(BootLoaderTest, TakesAnotherDeviceTree) {
    FdtTree other;
    other.root().strings("compatible", {"test,board"});
    other.root().child("chosen").strings("bootargs", {"from the file"});
    const auto blob = other.flatten().value();
    files.dtb = write("dtb", {reinterpret_cast<const char *>(blob.data()), blob.size()});
    const auto entry = load();
    ASSERT_TRUE(entry.has_value()) << entry.error().message;
    const void *loaded = blob_at(entry->device_tree);
    EXPECT_STREQ(static_cast<const char *>(fdt_getprop(loaded, 0, "compatible", nullptr)),
                 "test,board");
    EXPECT_STREQ(static_cast<const char *>(
                     fdt_getprop(loaded, fdt_path_offset(loaded, "/chosen"), "bootargs", nullptr)),
                 "from the file");
}

TEST_F(BootLoaderTest, RefusesWhatDoesNotFitOrIsDamaged) {
    files.initrd = write("initrd", std::string(kSize, 'i'));
    auto entry = load();
    ASSERT_FALSE(entry.has_value());
    EXPECT_NE(entry.error().message.find("give more --memory"), std::string::npos);
    files.initrd = "/nonexistent/initrd";
    EXPECT_FALSE(load().has_value());
    files.initrd.clear();
    files.dtb = write("dtb", "no device tree at all, really not, but long enough for a header");
    entry = load();
    ASSERT_FALSE(entry.has_value());
    EXPECT_NE(entry.error().message.find("not a device tree"), std::string::npos);
    auto blob = tree.flatten().value();
    files.dtb = write("dtb2", {reinterpret_cast<const char *>(blob.data()), blob.size() - 4});
    entry = load();
    ASSERT_FALSE(entry.has_value());
    EXPECT_NE(entry.error().message.find("truncated"), std::string::npos);
    fdt_set_version(blob.data(), 15);
    fdt_set_last_comp_version(blob.data(), 0);
    files.dtb = write("dtb3", {reinterpret_cast<const char *>(blob.data()), blob.size()});
    entry = load();
    ASSERT_FALSE(entry.has_value());
    EXPECT_NE(entry.error().message.find("of version 15"), std::string::npos);
}

} // namespace
} // namespace tandem::machine
