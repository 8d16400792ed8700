#include "machine/named/named_machine.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

class NamedMachineTest : public ::testing::Test {
protected:
    NamedMachineTest() {
        std::string pattern = ::testing::TempDir() + "named-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        ::setenv("XDG_STATE_HOME", folder_.c_str(), 1);
        ::unsetenv("XDG_RUNTIME_DIR");
        std::string sector(65536, '\0');
        sector[510] = '\x55';
        sector[511] = '\xaa';
        std::ofstream(folder_ + "/disk.img", std::ios::binary) << sector;
    }
    ~NamedMachineTest() override { std::filesystem::remove_all(folder_); }

    Result<NamedMachine> create(const std::string &name, u64 size = 0) {
        return NamedMachine::create(name, folder_ + "/disk.img", {"--cpus", "3"}, size);
    }

    std::string folder_;
};

TEST_F(NamedMachineTest, KeepsWhatItWasToldOnAnOverlay) {
    ASSERT_TRUE(create("web", 1 << 20).has_value());
    ASSERT_TRUE(create("db").has_value());
    const auto machine = NamedMachine::find("web");
    ASSERT_TRUE(machine.has_value());
    const auto record = machine->record();
    ASSERT_TRUE(record.has_value());
    const std::string disk = machine->folder() + "/disk.qcow2";
    EXPECT_EQ(record->image, disk);
    EXPECT_EQ(record->options, (std::vector<std::string>{"--cpus", "3"}));
    EXPECT_EQ(record->directory, std::filesystem::current_path());
    EXPECT_TRUE(std::filesystem::exists(disk));
    const auto all = NamedMachine::all();
    ASSERT_TRUE(all.has_value());
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ((*all)[0].name(), "db");
    EXPECT_FALSE(machine->control().has_value());
    ASSERT_TRUE(machine->remove().has_value());
    EXPECT_FALSE(NamedMachine::find("web").has_value());
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/disk.img"));
}

TEST_F(NamedMachineTest, RefusesNamesAndSecondMachines) {
    for (const char *name : {"", "-a", "a-", "A", "a/b", "..", "a b"})
        EXPECT_FALSE(create(name).has_value()) << name;
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/tandem/machines"));
    ASSERT_TRUE(create("web").has_value());
    const auto again = create("web");
    ASSERT_FALSE(again.has_value());
    EXPECT_NE(again.error().message.find("tandem rm web"), std::string::npos);
    EXPECT_TRUE(NamedMachine::find("web").has_value()) << "the first one stays";
}

TEST_F(NamedMachineTest, ReportsDamage) {
    ASSERT_TRUE(create("web").has_value());
    std::ofstream(folder_ + "/tandem/machines/web/machine.json")
        << R"({"version": 1, "image": 7, "options": 3})";
    const auto machine = NamedMachine::find("web");
    ASSERT_TRUE(machine.has_value());
    const auto record = machine->record();
    ASSERT_FALSE(record.has_value());
    EXPECT_NE(record.error().message.find("tandem rm"), std::string::npos);
    EXPECT_TRUE(machine->remove().has_value()) << "it can be removed all the same";
}

TEST_F(NamedMachineTest, IsCopiedOnlyWhenSuspendedAndStaysWhileItHasCopies) {
    ASSERT_TRUE(create("web").has_value());
    const auto machine = NamedMachine::find("web");
    ASSERT_TRUE(machine.has_value());
    const auto refused = machine->copy("one");
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("tandem suspend web"), std::string::npos);

    std::filesystem::create_directory(machine->snapshots());
    std::ofstream(machine->snapshots() + "/suspended.snapshot") << "damaged";
    EXPECT_TRUE(machine->suspended().has_value());
    EXPECT_FALSE(machine->copy("one").has_value());
    EXPECT_FALSE(NamedMachine::find("one").has_value()) << "nothing is left of it";
    EXPECT_EQ(machine->copies().value(), std::vector<std::string>{});

    // One whose image is no disk needs nothing of the snapshot.
    std::ofstream(folder_ + "/tandem/machines/web/machine.json")
        << R"({"version": 1, "image": "/a/kernel", "options": [], "directory": "/"})";
    std::ofstream(machine->folder() + "/seed.img") << "seed";
    ASSERT_TRUE(machine->copy("one").has_value());
    const auto copy = NamedMachine::find("one");
    ASSERT_TRUE(copy.has_value());
    EXPECT_TRUE(copy->suspended().has_value());
    EXPECT_EQ(copy->record()->copied_from, "web");
    EXPECT_EQ(std::filesystem::last_write_time(copy->folder() + "/seed.img"),
              std::filesystem::last_write_time(machine->folder() + "/seed.img"));
    EXPECT_EQ(machine->copies().value(), std::vector<std::string>{"one"});
    EXPECT_FALSE(machine->remove().has_value());
    ASSERT_TRUE(copy->remove().has_value());
    EXPECT_TRUE(machine->suspended().has_value()) << "the link alone is gone";
    EXPECT_TRUE(machine->remove().has_value());
}

TEST_F(NamedMachineTest, SaysWhyAMachineDidNotStart) {
    // The program that it starts is this one, which takes these words for a filter of tests.
    ASSERT_TRUE(create("web").has_value());
    const auto machine = NamedMachine::find("web");
    ASSERT_TRUE(machine.has_value());
    const auto started =
        machine->start({"--gtest_list_tests", "--gtest_filter=NoSuchTest"}, StartRecord{});
    ASSERT_FALSE(started.has_value());
    EXPECT_TRUE(started.error().message.starts_with("web: ")) << started.error().message;
}

} // namespace
} // namespace tandem::machine
