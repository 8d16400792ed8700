#include "frontend-arm/state/cpu_model.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

u64 field(const CpuModel &model, SysRegId id, unsigned lsb) {
    return bits(model.reset_value(id), lsb + 3, lsb);
}

TEST(CpuModelTest, UnknownNamesAreRefusedWithAdvice) {
    const auto model = CpuModel::create("cortex-x9");
    ASSERT_FALSE(model.has_value());
    EXPECT_NE(model.error().message.find("neoverse-n1"), std::string::npos);
}

TEST(CpuModelTest, IdRegistersFollowTheFeatures) {
    for (const std::string_view name : CpuModel::names()) {
        const CpuModel m = CpuModel::create(name).value();
        EXPECT_EQ(field(m, reg::ID_AA64ISAR0_EL1, 20) == 2, m.has(Feature::LSE)) << name;
        EXPECT_EQ(field(m, reg::ID_AA64MMFR1_EL1, 20) != 0, m.has(Feature::PAN)) << name;
        EXPECT_EQ(field(m, reg::ID_AA64PFR1_EL1, 0) != 0, m.has(Feature::BTI)) << name;
        // No AArch32, EL2, EL3, SVE.
        EXPECT_EQ(bits(m.reset_value(reg::ID_AA64PFR0_EL1), 15, 0), 0x11u);
        EXPECT_EQ(field(m, reg::ID_AA64PFR0_EL1, 32), 0u);
        // FP and AdvSIMD agree (Arm ARM, ID_AA64PFR0_EL1.AdvSIMD).
        EXPECT_EQ(field(m, reg::ID_AA64PFR0_EL1, 16), field(m, reg::ID_AA64PFR0_EL1, 20));
        EXPECT_EQ(field(m, reg::ID_AA64PFR0_EL1, 24), 1u);
    }
}

TEST(CpuModelTest, PacAlgorithmChoosesItsField) {
    const CpuModel fast = CpuModel::create("max").value();
    EXPECT_EQ(field(fast, reg::ID_AA64ISAR1_EL1, 4), 0u);
    EXPECT_EQ(field(fast, reg::ID_AA64ISAR1_EL1, 8), 5u);
    EXPECT_EQ(field(fast, reg::ID_AA64ISAR1_EL1, 24), 0u);
    EXPECT_EQ(field(fast, reg::ID_AA64ISAR1_EL1, 28), 1u);
    const CpuModel qarma = CpuModel::create("max", {.pac = PacAlgorithm::Qarma5}).value();
    EXPECT_EQ(field(qarma, reg::ID_AA64ISAR1_EL1, 4), 5u);
    EXPECT_EQ(field(qarma, reg::ID_AA64ISAR1_EL1, 8), 0u);
    const CpuModel gic2 = CpuModel::create("max", {.gic_system_registers = false}).value();
    EXPECT_EQ(field(gic2, reg::ID_AA64PFR0_EL1, 24), 0u);
}

TEST(CpuModelTest, RealCoresHaveTheirIdentity) {
    EXPECT_EQ(CpuModel::create("cortex-a53").value().reset_value(reg::MIDR_EL1), 0x410fd034u);
    EXPECT_EQ(CpuModel::create("cortex-a72").value().reset_value(reg::MIDR_EL1), 0x410fd083u);
    EXPECT_EQ(CpuModel::create("neoverse-n1").value().reset_value(reg::MIDR_EL1), 0x414fd0c1u);
    EXPECT_EQ(CpuModel::create("cortex-a53").value().reset_value(reg::CTR_EL0), 0x84448004u);
    EXPECT_EQ(CpuModel::create("cortex-a53").value().cache_size_id(0), 0x700fe01au & 0xfffffff);
}

} // namespace
} // namespace tandem::arm
