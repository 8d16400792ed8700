#include "jit/disk_cache/identity.h"

#include "jit/disk_cache/test_record.h"

namespace tandem::jit {
namespace {

constexpr const char *kProgram = "/proc/self/exe";

class IdentityTest : public test::DirectoryTest {};

TEST_F(IdentityTest, BuildIdsAreFound) {
    const auto id = build_id(kProgram);
    ASSERT_TRUE(id.has_value()) << id.error().message;
    EXPECT_GE(id->size(), 16u);
    EXPECT_EQ(id->find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST_F(IdentityTest, FilesWithoutAreNamed) {
    const std::string path = folder_ + "/file";
    EXPECT_EQ(build_id(path).error().message, path + ": has no build id");
    const std::string program = test::read_file(kProgram);
    for (const std::size_t size : {0u, 10u, 64u, 200u, 700u}) {
        test::write_file(path, program.substr(0, size));
        EXPECT_FALSE(build_id(path).has_value()) << size;
    }
    EXPECT_FALSE(identify(path, 4, 0).has_value());
}

TEST_F(IdentityTest, AllOfItCounts) {
    const auto of = [](unsigned level, u64 guest) {
        const auto identity = identify(kProgram, level, guest);
        EXPECT_TRUE(identity.has_value());
        return identity->value;
    };
    EXPECT_EQ(of(4, 1), of(4, 1));
    EXPECT_NE(of(4, 1), of(3, 1));
    EXPECT_NE(of(4, 1), of(4, 2));
}

} // namespace
} // namespace tandem::jit
