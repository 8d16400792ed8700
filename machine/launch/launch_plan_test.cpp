#include "machine/launch/launch_plan.h"

#include "machine/launch/state_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

class LaunchPlanTest : public ::testing::Test {
protected:
    LaunchPlanTest() {
        std::string pattern = ::testing::TempDir() + "launch-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        ::setenv("XDG_STATE_HOME", (folder_ + "/state").c_str(), 1);
        ::setenv("HOME", folder_.c_str(), 1);
    }
    ~LaunchPlanTest() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string &name, const std::string &content) {
        std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
        return folder_ + "/" + name;
    }
    /// Sectors of nothing, with a partition table in the first.
    std::string disk(const std::string &name) {
        std::string bytes(65536, '\0');
        bytes[510] = '\x55';
        bytes[511] = '\xaa';
        return file(name, bytes);
    }
    static std::string value(const LaunchPlan &plan, const std::string &option) {
        for (const Choice &choice : plan.choices)
            if (choice.option == option) return choice.value;
        return "";
    }

    std::string folder_;
};

TEST_F(LaunchPlanTest, DiskWithoutLoaderNeedsAKernel) {
    LaunchRequest request;
    request.image = disk("Blank Disk.img");
    const auto refused = plan_launch(request);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("--kernel"), std::string::npos);
    request.given = {"--kernel"};
    const auto plan = plan_launch(request);
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(value(*plan, "--disk"), request.image);
    EXPECT_EQ(plan->choices.size(), 1u);
    EXPECT_TRUE(plan->folder.empty());
}

TEST_F(LaunchPlanTest, GivenOptionsAreNotChosen) {
    LaunchRequest request;
    request.image = disk("Blank Disk.img");
    request.given = {"--bios"};
    auto plan = plan_launch(request);
    ASSERT_TRUE(plan.has_value()) << plan.error().message;
    for (const char *option : {"--cpus", "--memory", "--net"})
        EXPECT_NE(value(*plan, option), "") << option;
    EXPECT_EQ(value(*plan, "--bios"), "");
    EXPECT_EQ(value(*plan, "--nvram"), "") << "variables of some other firmware";
    ASSERT_TRUE(plan->seed.has_value()) << "what is on the disk is not known";
    EXPECT_EQ(plan->seed->host_name, "blank-disk");
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/state")) << "planning changes nothing";

    request.given = {"--bios", "--cpus", "--memory", "--net"};
    request.seed = SeedWish::Never;
    plan = plan_launch(request);
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan->choices.size(), 1u);
    EXPECT_FALSE(plan->ssh.has_value());
}

TEST_F(LaunchPlanTest, PreparesSeedWithTheUsersKeys) {
    std::filesystem::create_directory(folder_ + "/.ssh");
    file(".ssh/id_ed25519.pub", "ssh-ed25519 AAAA me@here\n");
    file(".ssh/id_rsa.pub", "no key\x01\n");
    LaunchRequest request;
    request.image = disk("disk.img");
    request.given = {"--bios"};
    const auto plan = plan_launch(request);
    ASSERT_TRUE(plan.has_value());
    ASSERT_TRUE(plan->seed.has_value());
    EXPECT_EQ(plan->seed->keys, std::vector<std::string>{"ssh-ed25519 AAAA me@here"});
    ASSERT_TRUE(prepare_launch(*plan).has_value());
    EXPECT_GT(std::filesystem::file_size(plan->seed->path), 0u);
    EXPECT_TRUE(plan->folder.starts_with(folder_ + "/state/tandem/images/disk-"));

    const std::filesystem::file_time_type long_ago{};
    std::filesystem::last_write_time(plan->seed->path, long_ago);
    ASSERT_TRUE(prepare_launch(*plan).has_value());
    EXPECT_EQ(std::filesystem::last_write_time(plan->seed->path), long_ago) << "the same one stays";
    auto other = *plan;
    other.seed->host_name = "other";
    std::ofstream(plan->ssh->known_hosts) << "a key\n";
    ASSERT_TRUE(prepare_launch(other).has_value());
    EXPECT_NE(std::filesystem::last_write_time(plan->seed->path), long_ago);
    EXPECT_FALSE(std::filesystem::exists(plan->ssh->known_hosts)) << "its host keys are new";
}

TEST(StateDirectory, SaysWhatIsWrong) {
    const auto made = make_private_directory("/proc/nowhere/tandem");
    ASSERT_FALSE(made.has_value());
    EXPECT_NE(made.error().message.find("/proc/nowhere"), std::string::npos);
    EXPECT_NE(made.error().message.find("XDG_STATE_HOME"), std::string::npos);
}

} // namespace
} // namespace tandem::machine
