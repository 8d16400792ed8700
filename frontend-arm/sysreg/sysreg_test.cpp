#include "frontend-arm/sysreg/sysreg.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/state/test_cpu.h"

#include <gtest/gtest.h>

#include <set>

namespace tandem::arm {
namespace {

using testing::TestCpu;

TEST(SysregTable, EncodingsAreUniqueAndFindTheirRow) {
    std::set<u16> seen;
    for (unsigned id = 0; id < kSysRegCount; ++id) {
        const SysReg &r = sysreg_info(static_cast<SysRegId>(id));
        EXPECT_EQ(r.id, id);
        EXPECT_TRUE(seen.insert(r.encoding).second) << r.name;
        EXPECT_EQ(find_sysreg(r.encoding), &r);
    }
}

TEST(SysregTable, UnallocatedEncodingsDoNotExist) {
    EXPECT_EQ(find_sysreg(sysreg_encoding(3, 4, 1, 0, 0)), nullptr); // SCTLR_EL2
    EXPECT_EQ(find_sysreg(sysreg_encoding(3, 6, 1, 0, 0)), nullptr); // SCTLR_EL3
    EXPECT_EQ(find_sysreg(sysreg_encoding(3, 5, 1, 0, 0)), nullptr); // SCTLR_EL12
    EXPECT_EQ(find_sysreg(sysreg_encoding(3, 0, 0, 0, 1)), nullptr);
    EXPECT_EQ(find_sysreg(sysreg_encoding(3, 0, 10, 4, 3)), nullptr); // LORC_EL1
    EXPECT_EQ(find_sysreg(sysreg_encoding(1, 0, 7, 8, 0)), nullptr);  // AT S1E1R
    EXPECT_EQ(find_sysreg(sysreg_encoding(3, 0, 15, 0, 0)), nullptr); // implementation defined
}

TEST(SysregTable, TheIdSpaceReadsAsZero) {
    TestCpu cpu;
    for (unsigned crm = 1; crm <= 7; ++crm) {
        for (unsigned op2 = 0; op2 < 8; ++op2) {
            const SysReg *r = find_sysreg(sysreg_encoding(3, 0, 0, crm, op2));
            ASSERT_NE(r, nullptr);
            EXPECT_EQ(r->read, SysRegAction::Slot);
            if (r->name == "ID_reserved") {
                EXPECT_EQ(cpu.sysreg(r->id), 0u);
            }
        }
    }
}

} // namespace
} // namespace tandem::arm
