#include "machine/launch/seed.h"

#include "machine/inspect/fat_reader.h"
#include "machine/storage/raw_disk.h"
#include "machine/storage/testing/memory_file.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

/// A file of the volume, by its short name.
std::string file_of(const std::vector<std::byte> &volume, std::string_view name) {
    auto disk = RawDisk::create(testing::MemoryFile(volume).open_again(), FormatSource::Named);
    EXPECT_TRUE(disk.has_value());
    const auto files = FatReader::open(ByteWindow(**disk));
    if (!files.has_value()) return "no volume";
    const auto bytes = files->read(name, ~u64{0}).value_or(std::vector<std::byte>{});
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

TEST(FatVolume, KeepsFilesOfEverySize) {
    std::vector<VolumeFile> files;
    for (const std::size_t size : {0u, 1u, 4095u, 4096u, 4097u, 200'000u})
        files.push_back({"a-file-with-a-long-name-" + std::to_string(size),
                         std::string(size, static_cast<char>('a' + files.size()))});
    const auto volume = build_fat_volume("label", files);
    for (std::size_t i = 0; i < files.size(); ++i)
        EXPECT_EQ(file_of(volume, "A-FILE~" + std::to_string(i + 1)), files[i].content);
}

TEST(Seed, HoldsUserAndKeys) {
    const std::string key = "ssh-ed25519 AAAA someone's \"key\"";
    const auto seed = build_seed({"alice", {key}, "here"});
    const std::string user_data = file_of(seed, "USER-D~1"), meta_data = file_of(seed, "META-D~2");
    EXPECT_TRUE(user_data.starts_with("#cloud-config\n"));
    EXPECT_NE(user_data.find("someone's \\\"key\\\""), std::string::npos);
    EXPECT_NE(user_data.find("\"alice\""), std::string::npos);
    EXPECT_NE(meta_data.find("\"local-hostname\": \"here\""), std::string::npos);
}

TEST(Seed, IsAnotherInstanceOnlyWithOtherContent) {
    const SeedContent content{"alice", {"ssh-ed25519 AAAA one"}, "here"};
    EXPECT_EQ(build_seed(content), build_seed(content));
    SeedContent other = content;
    other.keys[0] += "s";
    EXPECT_NE(file_of(build_seed(content), "META-D~2"), file_of(build_seed(other), "META-D~2"));
}

} // namespace
} // namespace tandem::machine
