#include "machine/accel/kvm/kvm_host.h"

#include <gtest/gtest.h>
#include <linux/kvm.h>

#include <cerrno>

namespace tandem::machine {
namespace {

bool has(const std::string &text, std::string_view part) {
    return text.find(part) != std::string::npos && text.find('\n') == std::string::npos;
}

TEST(KvmHost, SaysWhatIsWrongAndTheMend) {
    const std::string missing = kvm_open_error("/dev/kvm", ENOENT).message;
    EXPECT_TRUE(has(missing, "/dev/kvm: missing") && has(missing, "modprobe")) << missing;
    const std::string refused = kvm_open_error("/dev/kvm", EACCES).message;
    EXPECT_TRUE(has(refused, "no permission") && has(refused, "usermod")) << refused;
    EXPECT_TRUE(has(kvm_open_error("/dev/kvm", EMFILE).message, "ulimit"));
    EXPECT_TRUE(has(kvm_open_error("/dev/kvm", EIO).message, "/dev/kvm"));
}

TEST(KvmHost, LooksBeforeItLeaps) {
    EXPECT_TRUE(has(KvmHost::open("/nowhere/kvm").error().message, "missing"));
    EXPECT_TRUE(has(KvmHost::open("/dev/null").error().message, "not KVM's device"));
}

TEST(KvmHost, NamesWhatAKvmHasNot) {
    EXPECT_TRUE(check_kvm_extensions("/dev/kvm", [](int) { return 1; }).has_value());
    for (const auto &[capability, name] :
         {std::pair{KVM_CAP_IRQCHIP, "interrupt controller"}, {KVM_CAP_PIT2, "PIT"}}) {
        const auto result = check_kvm_extensions(
            "/dev/kvm", [capability](int asked) { return asked == capability ? 0 : 1; });
        ASSERT_FALSE(result.has_value());
        EXPECT_TRUE(has(result.error().message, name)) << result.error().message;
    }
    EXPECT_FALSE(check_kvm_extensions("/dev/kvm", [](int) { return -1; }).has_value());
}

} // namespace
} // namespace tandem::machine
