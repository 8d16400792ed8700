#include "machine/host/flash_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

constexpr u64 kSize = 1 << 20;

class FlashFileTest : public ::testing::Test {
protected:
    FlashFileTest() { std::filesystem::remove(path); }
    ~FlashFileTest() override { std::filesystem::remove(path); }
    // One file for each test: tests run side by side.
    const std::string path = ::testing::TempDir() + "tandem_flash_file_test_" +
                             ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(FlashFileTest, KeepsWhatIsProgrammed) {
    {
        auto flash = FlashFile::open(path, kSize).value();
        ASSERT_EQ(flash->cells().size(), kSize);
        EXPECT_EQ(flash->cells()[0x1234], std::byte{0});
        flash->cells()[0x1234] = std::byte{0x5a};
        flash->cells()[0x4000] = std::byte{0x77};
        EXPECT_TRUE(flash->persist(0x1234, 1));
    }
    EXPECT_EQ(std::filesystem::file_size(path), kSize);
    auto flash = FlashFile::open(path, kSize).value();
    EXPECT_EQ(flash->cells()[0x1234], std::byte{0x5a});
    EXPECT_EQ(flash->cells()[0x4000], std::byte{0}) << "was not asked for";
}

TEST_F(FlashFileTest, PadsAShortFile) {
    std::ofstream(path) << "abc";
    auto flash = FlashFile::open(path, kSize).value();
    EXPECT_EQ(flash->cells()[2], std::byte{'c'});
    EXPECT_EQ(std::filesystem::file_size(path), kSize);
}

TEST_F(FlashFileTest, RefusesWhatItCannotKeep) {
    EXPECT_FALSE(FlashFile::open("/nonexistent/vars", kSize).has_value());
    EXPECT_FALSE(FlashFile::open("/dev/null", kSize).has_value());
    auto flash = FlashFile::open(path, kSize).value();
    const auto second = FlashFile::open(path, kSize);
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().message.find("in use"), std::string::npos);
    flash.reset();
    EXPECT_FALSE(FlashFile::open(path, kSize / 2).has_value()) << "larger than the bank";
    EXPECT_EQ(std::filesystem::file_size(path), kSize) << "left alone";
}

} // namespace
} // namespace tandem::machine
