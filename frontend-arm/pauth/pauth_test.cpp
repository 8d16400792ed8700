#include "frontend-arm/pauth/pauth.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/state/cpu_model.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

struct PauthTest : ::testing::Test {
    void use(const char *model_name, CpuOptions options = {}) {
        model = std::make_unique<CpuModel>(CpuModel::create(model_name, options).value());
        state->model = model.get();
        reset(*state, 0);
        // EnIA, EnIB, EnDA, EnDB; 48-bit halves, TBI0 set, TBI1 clear.
        state->sysreg[reg::SCTLR_EL1] |= u64{1} << 31 | 1u << 30 | 1u << 27 | 1u << 13;
        state->sysreg[reg::TCR_EL1] = 16 | 16 << 16 | u64{1} << 37;
        update_controls(*state);
        state->sysreg[reg::APIAKeyLo_EL1] = 0x0123456789abcdef;
        state->sysreg[reg::APIAKeyHi_EL1] = 0xfedcba9876543210;
    }
    std::unique_ptr<CpuModel> model;
    std::unique_ptr<ArmState> state = std::make_unique<ArmState>();
};

// The published vector of QARMA-64 with sigma 2 and five rounds.
TEST_F(PauthTest, Qarma5MatchesThePublishedVector) {
    EXPECT_EQ(
        qarma5(0xfb623599da6e8127, 0x477d469dec0b8762, 0x84be85ce9804e94b, 0xec2802d4e0a488e9),
        0xc003b93999b33765);
}

TEST_F(PauthTest, SignedPointersAuthenticate) {
    for (const PacAlgorithm algorithm :
         {PacAlgorithm::ImplementationDefined, PacAlgorithm::Qarma5}) {
        use("max", {.pac = algorithm});
        for (const u64 pointer : {u64{0x0000aaaabbbbcccc}, u64{0xffff800012345678},
                                  u64{0x5a00aaaabbbbcccc} /* tagged */}) {
            const u64 signed_pointer = add_pac(*state, PacKey::InstructionA, pointer, 42);
            EXPECT_NE(signed_pointer, pointer);
            EXPECT_EQ(bit(signed_pointer, 55), bit(pointer, 55));
            EXPECT_EQ(authenticate(*state, PacKey::InstructionA, signed_pointer, 42), pointer);
            EXPECT_EQ(state->pending_exit, ir::PendingExit::None);
            EXPECT_EQ(strip_pac(*state, signed_pointer, true), pointer);
        }
    }
}

TEST_F(PauthTest, TagsAreKeptAndNotSigned) {
    use("max");
    const u64 signed_pointer = add_pac(*state, PacKey::InstructionA, 0x5a00aaaabbbbcccc, 1);
    EXPECT_EQ(signed_pointer >> 56, 0x5au);
}

TEST_F(PauthTest, FailureRaisesFpac) {
    use("max");
    state->pc = 0x1000;
    const u64 signed_pointer = add_pac(*state, PacKey::InstructionA, 0xffff800012345678, 1);
    (void)authenticate(*state, PacKey::InstructionA, signed_pointer, 2);
    EXPECT_EQ(state->pending_exit, ir::PendingExit::Resume);
    EXPECT_EQ(state->sysreg[reg::ESR_EL1], 0x1cu << 26 | kIl32Bit);
    EXPECT_EQ(state->sysreg[reg::ELR_EL1], 0x1000u);
}

TEST_F(PauthTest, TranslatedCodeTellsFailureByBit0) {
    use("max");
    const u64 pointer = 0xffff800012345679;
    const u64 signed_pointer = add_pac(*state, PacKey::InstructionA, pointer, 1);
    EXPECT_EQ(try_authenticate(*state, PacKey::InstructionA, signed_pointer, 1), pointer);
    EXPECT_EQ(try_authenticate(*state, PacKey::InstructionA, signed_pointer, 2),
              signed_pointer ^ 1);
    EXPECT_EQ(state->pending_exit, ir::PendingExit::None);
}

TEST_F(PauthTest, DisabledKeysDoNothing) {
    use("max");
    state->sysreg[reg::SCTLR_EL1] = 0;
    update_controls(*state);
    EXPECT_EQ(add_pac(*state, PacKey::DataB, 0x1234, 1), 0x1234u);
    EXPECT_EQ(authenticate(*state, PacKey::DataB, 0x00ff000000001234, 1), 0x00ff000000001234u);
}

TEST_F(PauthTest, StrippingGoesByTheControlsOfTheHalfWhateverTheKeys) {
    use("max");
    state->sysreg[reg::SCTLR_EL1] = 0;
    state->sysreg[reg::TCR_EL1] = u64{3} << 51 | u64{1} << 38 | 39 << 16 | 31; // TBID, TBI1, TnSZ
    update_controls(*state);
    EXPECT_EQ(strip_pac(*state, 0xffff'ffff'f809'7909, false), 0xffff'ffff'fe09'7909u);
    EXPECT_EQ(strip_pac(*state, 0x5aff'ffff'f809'7909, false), 0x5aff'ffff'fe09'7909u);
    EXPECT_EQ(strip_pac(*state, 0x5aff'ffff'f809'7909, true), 0xffff'ffff'fe09'7909u);
    EXPECT_EQ(strip_pac(*state, 0x5a00'0002'1234'5678, false), 0x1234'5678u);
}

TEST_F(PauthTest, EveryInputBitChangesTheFastHash) {
    const u64 base = fast_pac(0x0000aaaabbbbcccc, 0x1234, 1, 2);
    for (unsigned i = 0; i < 64; ++i) {
        const u64 flip = u64{1} << i;
        EXPECT_NE(fast_pac(0x0000aaaabbbbcccc ^ flip, 0x1234, 1, 2), base);
        EXPECT_NE(fast_pac(0x0000aaaabbbbcccc, 0x1234 ^ flip, 1, 2), base);
        EXPECT_NE(fast_pac(0x0000aaaabbbbcccc, 0x1234, 1 ^ flip, 2), base);
        EXPECT_NE(fast_pac(0x0000aaaabbbbcccc, 0x1234, 1, 2 ^ flip), base);
    }
}

} // namespace
} // namespace tandem::arm
