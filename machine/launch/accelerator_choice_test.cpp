#include "machine/launch/accelerator_choice.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

constexpr const char *kNoDevice = "/nowhere/kvm";

class AcceleratorChoiceTest : public ::testing::Test {
protected:
    AcceleratorChoiceTest() {
        std::string image(4096, '\0');
        std::memcpy(image.data() + 0x202, "HdrS", 4);
        std::ofstream(path_, std::ios::binary) << image;
        config_.kernel = path_;
    }
    ~AcceleratorChoiceTest() override { std::filesystem::remove(path_); }

    std::string refusal(AcceleratorKind kind, const char *device) {
        config_.accelerator = kind;
        const auto choice = choose_accelerator(config_, device);
        return choice.has_value() ? "" : choice.error().message;
    }

    const std::string path_ = ::testing::TempDir() + "/accelerator_choice_kernel";
    MachineConfig config_;
};

TEST_F(AcceleratorChoiceTest, SaysWhyAnX86GuestCannotRun) {
    const std::string missing = refusal(AcceleratorKind::Auto, kNoDevice);
    EXPECT_NE(missing.find(path_), std::string::npos) << missing;
    EXPECT_NE(missing.find("/nowhere/kvm: missing"), std::string::npos) << missing;
    EXPECT_NE(missing.find("arm64"), std::string::npos) << missing;
    EXPECT_NE(refusal(AcceleratorKind::Kvm, "/dev/null").find("is not KVM's device"),
              std::string::npos);
    EXPECT_NE(refusal(AcceleratorKind::Jit, kNoDevice).find("--accel kvm"), std::string::npos);
    EXPECT_NE(refusal(AcceleratorKind::Interpreter, kNoDevice).find("--accel kvm"),
              std::string::npos);
}

TEST_F(AcceleratorChoiceTest, LeavesArm64GuestsToTheJit) {
    std::ofstream(path_, std::ios::binary) << std::string(4096, '\0');
    EXPECT_NE(refusal(AcceleratorKind::Kvm, kNoDevice).find("--accel jit"), std::string::npos);
    config_.accelerator = AcceleratorKind::Auto;
    const auto choice = choose_accelerator(config_, kNoDevice);
    ASSERT_TRUE(choice.has_value());
    EXPECT_EQ(choice->board, BoardKind::Virt);
    EXPECT_EQ(choice->line, "");
    config_.kernel = "/nowhere/kernel";
    EXPECT_TRUE(choose_accelerator(config_, kNoDevice).has_value()) << "told when it is loaded";
}

} // namespace
} // namespace tandem::machine
