#include "jit/regions/side_exits.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

namespace tandem::jit {
namespace {

using ir::kFlagC;
using ir::kFlagN;
using ir::kFlagV;
using ir::kFlagZ;

TEST(FlagsForm, Integers) {
    EXPECT_EQ(evaluate_flags(FlagsForm::Packed, kFlagN | kFlagV, 0), kFlagN | kFlagV);
    EXPECT_EQ(evaluate_flags(FlagsForm::Subtraction32, 5, 5), kFlagZ | kFlagC);
    EXPECT_EQ(evaluate_flags(FlagsForm::Subtraction32, 4, 5), kFlagN);
    EXPECT_EQ(evaluate_flags(FlagsForm::Subtraction32, 0x8000'0000, 1), kFlagC | kFlagV);
    EXPECT_EQ(evaluate_flags(FlagsForm::Subtraction32, 0xff'0000'0001, 1), kFlagZ | kFlagC);
    EXPECT_EQ(evaluate_flags(FlagsForm::Subtraction64, u64{1} << 63, 1), kFlagC | kFlagV);
    EXPECT_EQ(evaluate_flags(FlagsForm::Subtraction64, 7, 0), kFlagC);
    EXPECT_EQ(evaluate_flags(FlagsForm::Addition32, 0xffff'ffff, 1), kFlagZ | kFlagC);
    EXPECT_EQ(evaluate_flags(FlagsForm::Addition64, 0xffff'ffff, 1), 0u);
    EXPECT_EQ(evaluate_flags(FlagsForm::Addition64, ~u64{0} >> 1, 1), kFlagN | kFlagV);
    EXPECT_EQ(evaluate_flags(FlagsForm::Logic32, 0xf0'8000'0000, 0), kFlagN);
    EXPECT_EQ(evaluate_flags(FlagsForm::Logic64, 0, 0), kFlagZ);
}

TEST(FlagsForm, FloatingPoint) {
    const auto compare = [](double a, double b) {
        return evaluate_flags(FlagsForm::Compare64, std::bit_cast<u64>(a), std::bit_cast<u64>(b));
    };
    EXPECT_EQ(compare(1, 2), kFlagN);
    EXPECT_EQ(compare(2, 1), kFlagC);
    EXPECT_EQ(compare(0.0, -0.0), kFlagZ | kFlagC);
    EXPECT_EQ(compare(1, std::numeric_limits<double>::quiet_NaN()), kFlagC | kFlagV);
    EXPECT_EQ(
        evaluate_flags(FlagsForm::Compare32, std::bit_cast<u32>(1.5F), std::bit_cast<u32>(1.5F)),
        kFlagZ | kFlagC);
}

TEST(SideExit, StateIsStoredFromWhereverItIs) {
    SideTable table;
    std::array<std::byte, 64> code{};
    table.code = code.data();
    table.constants = {0x1122'3344'5566'7788};
    table.exits = {
        {},
        {.kind = SideExitKind::Leave,
         .retired = 3,
         .imm = 0x123,
         .slots = {{.offset = 8, .size = 8},
                   {.offset = 16, .size = 8},
                   {.offset = 24, .size = 8},
                   {.offset = offsetof(ir::ExecContext, flags), .size = 4, .is_flags = true}}}};
    using Kind = HostLocation::Kind;
    table.locations = {
        {},
        {.kind = Kind::Gpr, .reg = 14, .bytes = 8}, // the budget
        {.kind = Kind::Memory, .reg = 5, .bytes = 8, .value = -8},
        {.kind = Kind::WideConstant, .bytes = 8, .value = 0},
        {.kind = Kind::Xmm, .reg = 17, .bytes = 8},
        {.kind = Kind::Constant, .bytes = 8, .value = static_cast<i32>(FlagsForm::Subtraction32)},
        {.kind = Kind::Gpr, .reg = 0, .bytes = 4},
        {.kind = Kind::Constant, .bytes = 8, .value = 9}};
    table.sites = {{10, 0, 0}, {20, 1, 1}};
    const std::array<u64, 2> stack{77, 0};
    SavedRegisters saved{};
    saved.gpr[14] = 100;
    saved.gpr[5] = reinterpret_cast<u64>(&stack[1]);
    saved.gpr[0] = 0xffff'ffff'0000'0009;
    saved.vector[17] = {55, 66};
    ir::ExecContext ctx;
    ctx.pc_page = 0x5000;
    EXPECT_TRUE(take_side_exit(ctx, saved, table, code.data() + 20));
    EXPECT_EQ(ctx.pc, 0x5123u);
    EXPECT_EQ(ctx.budget, 97 + i64{ir::kMaxBlockInstructions});
    EXPECT_EQ(ctx.gpr[1], 77u);
    EXPECT_EQ(ctx.gpr[2], 0x1122'3344'5566'7788u);
    EXPECT_EQ(ctx.gpr[3], 55u);
    EXPECT_EQ(ctx.flags, kFlagZ | kFlagC);
}

} // namespace
} // namespace tandem::jit
