#include "machine/semihosting/guest_folder.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace tandem::machine {
namespace {

namespace fs = std::filesystem;

class GuestFolderTest : public testing::Test {
protected:
    GuestFolderTest() {
        fs::create_directories(root_ / "inside" / "deep");
        write("outside.txt", "secret");
        write("inside/file.txt", "text");
        fs::create_symlink("../outside.txt", root_ / "inside" / "leads-out");
        fs::create_symlink("/deep", root_ / "inside" / "absolute");
        ::mkfifo((root_ / "inside" / "pipe").c_str(), 0600);
    }
    ~GuestFolderTest() override { fs::remove_all(root_); }

    void write(const std::string &name, const std::string &text) const {
        std::ofstream(root_ / name) << text;
    }
    [[nodiscard]] GuestFolder folder(bool readonly = false) const {
        return std::move(*GuestFolder::open(root_ / "inside", readonly));
    }
    static int error_of(const auto &answer) { return answer.has_value() ? 0 : answer.error(); }

    fs::path root_ = fs::path(testing::TempDir()) / ("guest-folder-" + std::to_string(::getpid()));
};

TEST_F(GuestFolderTest, OpensAndMakesFiles) {
    const GuestFolder inside = folder();
    EXPECT_TRUE(inside.open_file("file.txt", {.read = true}).has_value());
    EXPECT_TRUE(inside.open_file("/file.txt", {.read = true}).has_value()) << "the root is ours";
    EXPECT_EQ(error_of(inside.open_file("new.txt", {.read = true})), ENOENT);
    EXPECT_TRUE(inside.open_file("absolute/new.txt", {.write = true, .create = true}).has_value());
    EXPECT_TRUE(fs::exists(root_ / "inside/deep/new.txt"));
    EXPECT_TRUE(inside.open_file("file.txt", {.write = true, .truncate = true}).has_value());
    EXPECT_EQ(fs::file_size(root_ / "inside/file.txt"), 0u);
}

TEST_F(GuestFolderTest, CannotBeLeft) {
    const GuestFolder inside = folder();
    for (const char *name :
         {"../outside.txt", "leads-out", "deep/../../outside.txt", "/../outside.txt"}) {
        EXPECT_EQ(error_of(inside.open_file(name, {.read = true})), ENOENT) << name;
    }
    EXPECT_EQ(error_of(inside.remove("../outside.txt")), ENOENT);
    EXPECT_EQ(error_of(inside.rename("file.txt", "../taken.txt")), 0);
    EXPECT_TRUE(fs::exists(root_ / "inside/taken.txt")) << "above the root is the root";
    EXPECT_TRUE(fs::exists(root_ / "outside.txt"));
}

TEST_F(GuestFolderTest, HasRegularFilesOnly) {
    const GuestFolder inside = folder();
    EXPECT_EQ(error_of(inside.open_file("pipe", {.read = true})), EACCES);
    EXPECT_NE(error_of(inside.open_file("pipe", {.write = true})), 0);
    EXPECT_EQ(error_of(inside.open_file("deep", {.read = true})), EISDIR);
    EXPECT_EQ(error_of(inside.remove("deep")), EISDIR);
    EXPECT_EQ(error_of(inside.remove("..")), EINVAL);
    EXPECT_EQ(error_of(inside.remove("")), EINVAL);
}

TEST_F(GuestFolderTest, MayBeReadOnly) {
    const GuestFolder inside = folder(true);
    EXPECT_TRUE(inside.open_file("file.txt", {.read = true}).has_value());
    EXPECT_EQ(error_of(inside.open_file("file.txt", {.write = true})), EROFS);
    EXPECT_EQ(error_of(inside.open_file("new.txt", {.write = true, .create = true})), EROFS);
    EXPECT_EQ(error_of(inside.remove("file.txt")), EROFS);
    EXPECT_EQ(error_of(inside.rename("file.txt", "b")), EROFS);
}

TEST_F(GuestFolderTest, HasToBeThere) {
    const auto missing = GuestFolder::open(root_ / "nowhere", false);
    ASSERT_FALSE(missing.has_value());
    EXPECT_TRUE(missing.error().message.starts_with("--semihosting-folder "));
    EXPECT_FALSE(GuestFolder::open(root_ / "inside/file.txt", false).has_value());
}

} // namespace
} // namespace tandem::machine
