#include "ir/packed_block.h"

#include "ir/text/text.h"

#include <gtest/gtest.h>

namespace tandem::ir {
namespace {

Block unpacked(const Block &block) {
    Block out;
    out.insts.resize(3); // what is left of another block
    Arena arena;
    PackedBlock(block, arena).unpack(out);
    return out;
}

TEST(PackedBlock, KeepsEveryOpcodeWithItsArguments) {
    Block block;
    block.page_offset = 0xffc;
    block.mode = 0xdeadbeef;
    block.guest_bytes = 4;
    for (unsigned i = 0; i < kOpcodeCount; ++i) {
        Inst inst{.op = static_cast<Opcode>(i), .imm = i};
        for (unsigned a = 0; a < arg_count(inst.op); ++a)
            inst.args[a] = static_cast<ValueId>(i * 7 + a);
        block.insts.push_back(inst);
    }
    const Block out = unpacked(block);
    EXPECT_EQ(print(out), print(block));
    EXPECT_EQ(out.mode, block.mode);
}

TEST(PackedBlock, KeepsImmediatesOfEverySize) {
    Block block;
    block.guest_instructions = 64;
    for (unsigned bit = 0; bit < 64; ++bit)
        for (const u64 imm : {u64{1} << bit, (u64{1} << bit) - 1, ~u64{0} << bit})
            block.insts.push_back({.op = Opcode::Const64, .imm = imm});
    EXPECT_EQ(print(unpacked(block)), print(block));
}

TEST(PackedBlock, TakesLittleForCommonCode) {
    const auto block = parse("block instructions=1\n Insn #0x40\n %1 = GetState64 #0x8\n"
                             "%2 = Const64 #0x10\n %3 = Add64 %1 %2\n %4 = Load64 %3 #0x1\n"
                             "SetState64 %4 #0x10\n Exit #0x44");
    ASSERT_TRUE(block);
    Arena arena;
    EXPECT_LE(PackedBlock(*block, arena).byte_size(), block->insts.size() * sizeof(Inst) / 4);
}

} // namespace
} // namespace tandem::ir
