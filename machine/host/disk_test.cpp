#include "machine/host/disk.h"

#include "machine/storage/image/administration.h"
#include "support/scoped_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

using devices::BlockOperation;
using devices::BlockRequest;
using devices::BlockStatus;

class Request final : public BlockRequest {
public:
    void complete(BlockStatus value) override {
        status = value;
        ++completions;
    }
    std::vector<std::byte> data;
    std::vector<std::span<std::byte>> spans;
    BlockStatus status = BlockStatus::IoError;
    int completions = 0;
};

class DiskTest : public testing::Test {
protected:
    DiskTest() {
        std::string name = (std::filesystem::temp_directory_path() / "disk-XXXXXX").string();
        ScopedFd file{::mkostemp(name.data(), O_CLOEXEC)};
        path = name;
        std::vector<char> content(kSize);
        for (u64 i = 0; i < kSize; ++i) content[i] = static_cast<char>('a' + i / 512 % 26);
        std::ofstream(path).write(content.data(), static_cast<std::streamsize>(content.size()));
    }
    ~DiskTest() override { std::filesystem::remove(path); }

    static BlockStatus run(HostDisk &disk, BlockOperation operation, u64 offset,
                           std::vector<std::byte> &data, u64 length = 0) {
        Request request;
        request.operation = operation;
        request.offset = offset;
        request.length = length != 0 ? length : data.size();
        // Two odd pieces, as descriptor chains have them.
        if (!data.empty()) {
            request.spans = {std::span(data).first(data.size() / 3),
                             std::span(data).subspan(data.size() / 3)};
            request.buffers = request.spans;
        }
        BlockRequest *list[] = {&request};
        disk.submit(list);
        disk.drain();
        EXPECT_EQ(request.completions, 1);
        return request.status;
    }
    static std::string text(const std::vector<std::byte> &data) {
        return {reinterpret_cast<const char *>(data.data()), data.size()};
    }
    static std::string read(HostDisk &disk, u64 offset, u64 length) {
        std::vector<std::byte> data(length);
        EXPECT_EQ(run(disk, BlockOperation::Read, offset, data), BlockStatus::Ok);
        return text(data);
    }
    static BlockStatus write(HostDisk &disk, u64 offset, std::string_view value) {
        std::vector<std::byte> data(value.size());
        std::memcpy(data.data(), value.data(), value.size());
        return run(disk, BlockOperation::Write, offset, data);
    }

    static constexpr u64 kSize = 64 * 1024 + 512;
    std::string path;
    std::vector<std::byte> none;
};

TEST_F(DiskTest, ReadsAndWritesAndDiscards) {
    auto opened = HostDisk::open(path, {});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    HostDisk &disk = **opened;
    EXPECT_EQ(disk.size(), kSize);
    EXPECT_EQ(read(disk, 1024, 3), "ccc");
    EXPECT_EQ(write(disk, 512, std::string(1024, '!')), BlockStatus::Ok);
    EXPECT_EQ(read(disk, 0, 2048),
              std::string(512, 'a') + std::string(1024, '!') + std::string(512, 'd'));
    EXPECT_EQ(run(disk, BlockOperation::Flush, 0, none), BlockStatus::Ok);
    EXPECT_EQ(run(disk, BlockOperation::WriteZeroes, 0, none, 1024), BlockStatus::Ok);
    EXPECT_EQ(read(disk, 0, 1024), std::string(1024, '\0'));
    EXPECT_EQ(run(disk, BlockOperation::Discard, 4096, none, 4096), BlockStatus::Ok);
    EXPECT_EQ(read(disk, 4096, 4096), std::string(4096, '\0'));
    EXPECT_EQ(std::filesystem::file_size(path), kSize);
}

/// Over every format and past the page cache, twice: the second time clusters are there, and are
/// overwritten in place.
TEST_F(DiskTest, ManyAtOnce) {
    constexpr u64 kBlock = 4096, kBlocks = 600;
    const std::string image = path + ".image";
    for (const ImageFormat format : {ImageFormat::Raw, ImageFormat::Qcow2}) {
        for (const CacheMode cache : {CacheMode::Writeback, CacheMode::None}) {
            NewImage wanted;
            wanted.path = image;
            wanted.format = format;
            wanted.qcow2.size = kBlock * kBlocks;
            ASSERT_TRUE(create_image(wanted).has_value());
            DiskOptions options;
            options.format = format;
            options.cache = cache;
            auto opened = HostDisk::open(image, options);
            ASSERT_TRUE(opened.has_value()) << opened.error().message;
            HostDisk &disk = **opened;
            std::vector<std::byte> memory(kBlock * (kBlocks + 1));
            const auto aligned = std::span(memory).subspan(
                kBlock - reinterpret_cast<std::uintptr_t>(memory.data()) % kBlock,
                kBlock * kBlocks);
            for (unsigned round = 0; round < 2; ++round) {
                const auto expected = [round](u64 block) { return std::byte(block * 7 + round); };
                for (const BlockOperation operation :
                     {BlockOperation::Write, BlockOperation::Read}) {
                    std::vector<Request> requests(kBlocks);
                    std::vector<BlockRequest *> list;
                    for (u64 i = 0; i < kBlocks; ++i) {
                        const auto part = aligned.subspan(i * kBlock, kBlock);
                        const bool is_write = operation == BlockOperation::Write;
                        std::ranges::fill(part, is_write ? expected(i) : std::byte{0xee});
                        requests[i].operation = operation;
                        requests[i].offset = i * kBlock;
                        requests[i].length = kBlock;
                        requests[i].spans = {part};
                        requests[i].buffers = requests[i].spans;
                        list.push_back(&requests[i]);
                    }
                    disk.submit(list);
                    disk.drain();
                    for (u64 i = 0; i < kBlocks; ++i) {
                        ASSERT_EQ(requests[i].completions, 1) << i;
                        ASSERT_EQ(requests[i].status, BlockStatus::Ok) << i;
                        ASSERT_EQ(aligned[i * kBlock + 77], expected(i)) << i;
                    }
                }
                EXPECT_EQ(run(disk, BlockOperation::Flush, 0, none), BlockStatus::Ok);
            }
        }
    }
    std::filesystem::remove(image);
}

TEST_F(DiskTest, SnapshotLeavesTheFileAlone) {
    {
        auto opened = HostDisk::open(path, {.readonly = false, .snapshot = true, .identity = ""});
        ASSERT_TRUE(opened.has_value()) << opened.error().message;
        HostDisk &disk = **opened;
        EXPECT_FALSE(disk.read_only());
        EXPECT_EQ(write(disk, 4096 - 512, std::string(1024, '1')), BlockStatus::Ok);
        EXPECT_EQ(write(disk, 64 * 1024, std::string(512, '2')), BlockStatus::Ok);
        const std::string all = read(disk, 0, kSize);
        EXPECT_EQ(all.substr(4096 - 1024, 2048),
                  std::string(512, 'g') + std::string(1024, '1') + std::string(512, 'j'));
        EXPECT_EQ(all.substr(64 * 1024), std::string(512, '2'));
        EXPECT_EQ(run(disk, BlockOperation::WriteZeroes, 8192, none, 512), BlockStatus::Ok);
        EXPECT_EQ(read(disk, 8192, 1024), std::string(512, '\0') + std::string(512, 'r'));
    }
    auto again = HostDisk::open(path, {.readonly = true, .snapshot = false, .identity = ""});
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(read(**again, 4096 - 512, 512), std::string(512, 'h'));
}

TEST_F(DiskTest, LocksOutOtherUsers) {
    auto writer = HostDisk::open(path, {});
    ASSERT_TRUE(writer.has_value());
    const auto second = HostDisk::open(path, {});
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().message.find("in use by another process"), std::string::npos);
    EXPECT_FALSE(HostDisk::open(path, {.readonly = true, .snapshot = false, .identity = ""}));
    writer->reset();
    auto reader = HostDisk::open(path, {.readonly = true, .snapshot = false, .identity = ""});
    ASSERT_TRUE(reader.has_value());
    EXPECT_TRUE(HostDisk::open(path, {.readonly = false, .snapshot = true, .identity = ""}));
    EXPECT_FALSE(HostDisk::open(path, {}));
}

TEST_F(DiskTest, ReadOnlyRefusesWrites) {
    auto disk = HostDisk::open(path, {.readonly = true, .snapshot = false, .identity = ""});
    ASSERT_TRUE(disk.has_value());
    EXPECT_TRUE((*disk)->read_only());
    EXPECT_EQ(write(**disk, 0, std::string(512, 'x')), BlockStatus::IoError);
    EXPECT_EQ(read(**disk, 0, 1), "a");
}

TEST_F(DiskTest, ReportsBadFiles) {
    const auto message = [](const std::string &name) {
        const auto disk = HostDisk::open(name, {});
        return disk.has_value() ? std::string() : disk.error().message;
    };
    EXPECT_NE(message("/nonexistent/disk").find("check the path"), std::string::npos);
    EXPECT_NE(message("/dev/null").find("not a regular file"), std::string::npos);
    EXPECT_NE(message("/").find("; "), std::string::npos);
    std::filesystem::resize_file(path, 1000);
    EXPECT_NE(message(path).find("truncated"), std::string::npos);
    std::filesystem::resize_file(path, 0);
    EXPECT_NE(message(path).find("empty"), std::string::npos);
    std::ofstream(path) << "QFI\xfb" << std::string(1020, '\0');
    EXPECT_NE(message(path).find("qcow2"), std::string::npos);
}

TEST_F(DiskTest, FailuresOfTheHostAreErrorsOfTheGuest) {
    auto disk = HostDisk::open(path, {});
    ASSERT_TRUE(disk.has_value());
    ASSERT_EQ(::truncate(path.c_str(), 512), 0);
    std::vector<std::byte> data(512);
    EXPECT_EQ(run(**disk, BlockOperation::Read, 1024, data), BlockStatus::IoError);
}

} // namespace
} // namespace tandem::machine
