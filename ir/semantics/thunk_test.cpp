#include "ir/semantics/thunk.h"

#include "ir/semantics/semantics.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace tandem::ir::semantics {
namespace {

bool is_second(Opcode op) {
    return op == Opcode::Second || op == Opcode::SecondF32 || op == Opcode::SecondF64 ||
           op == Opcode::SecondV128;
}

/// Zeroes what a value of the type does not occupy.
Vec fit(Type type, Vec value) {
    switch (type) {
    case Type::I1: return {{value.d[0] & 1, 0}};
    case Type::F16: return {{value.d[0] & 0xffff, 0}};
    case Type::I32:
    case Type::F32: return {{value.d[0] & 0xffffffff, 0}};
    case Type::Flags: return {{value.d[0] & kFlagMask, 0}};
    case Type::I64:
    case Type::F64: return {{value.d[0], 0}};
    default: return value;
    }
}

TEST(Thunk, ExistsForPureAndFpOperationsOnly) {
    for (unsigned i = 0; i < kOpcodeCount; ++i) {
        const Opcode op = static_cast<Opcode>(i);
        const OpClass op_class = info(op).op_class;
        const bool computed =
            (op_class == OpClass::Pure || op_class == OpClass::Fp) && !is_second(op);
        EXPECT_EQ(thunk(op) != nullptr, computed) << info(op).name;
    }
}

// Any argument and any immediate must be safe, as optimised code may compute values that no guest
// instruction would use; and every byte of the result is defined.
TEST(Thunk, ResultsAreZeroExtendedAndRepeatable) {
    std::mt19937_64 random(1);
    for (unsigned i = 0; i < kOpcodeCount; ++i) {
        const Opcode op = static_cast<Opcode>(i);
        if (thunk(op) == nullptr) continue;
        for (int run = 0; run < 50; ++run) {
            std::array<Vec, 4> slots;
            for (unsigned k = 0; k < 4; ++k) {
                const Vec value{{random() >> (random() % 64), random() >> (random() % 64)}};
                slots[k] = k < info(op).arg_count ? fit(info(op).args[k], value) : value;
            }
            // Bitfields need a width; the table gives the range of shifts.
            const u64 imm = 1 | u64{1 + random() % 8} << 8 | (random() & 0x7f0000);
            Vec first{{~u64{0}, ~u64{0}}};
            Vec second{{0x1234, 0x5678}};
            u32 fpsr = 0;
            u32 fpsr_again = ~u32{0};
            thunk(op)(fpsr, &first, &slots[0], &slots[1], &slots[2], &slots[3], imm);
            thunk(op)(fpsr_again, &second, &slots[0], &slots[1], &slots[2], &slots[3], imm);
            EXPECT_EQ(first, second) << info(op).name;
            EXPECT_EQ(first, fit(info(op).result, first)) << info(op).name;
            EXPECT_EQ(fpsr_again, ~u32{0}) << "flags only accumulate: " << info(op).name;
            if (info(op).op_class == OpClass::Pure) {
                EXPECT_EQ(fpsr, 0u) << info(op).name;
            }
            // The result may replace an argument.
            thunk(op)(fpsr, &slots[0], &slots[0], &slots[1], &slots[2], &slots[3], imm);
            EXPECT_EQ(first, slots[0]) << info(op).name;
        }
    }
}

TEST(Thunk, PassesImmediateModeAndFlags) {
    u32 fpsr = kFpDivZero;
    Vec result;
    const Vec one{{0x3f800000, 0}};
    const Vec tiny{{0x00000001, 0}};
    // Rounding towards plus infinity comes from imm<1:0>.
    thunk(Opcode::FAdd32)(fpsr, &result, &one, &tiny, nullptr, nullptr, 1);
    EXPECT_EQ(result, (Vec{{0x3f800001, 0}}));
    EXPECT_EQ(fpsr, kFpDivZero | kFpInexact);
    const Vec flags{{kFlagC, 0}};
    thunk(Opcode::CondHolds)(fpsr, &result, &flags, nullptr, nullptr, nullptr,
                             static_cast<u64>(Cond::HI));
    EXPECT_EQ(result, (Vec{{1, 0}}));
}

} // namespace
} // namespace tandem::ir::semantics
