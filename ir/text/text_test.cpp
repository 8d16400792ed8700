#include "ir/text/text.h"

#include "ir/builder.h"

#include <gtest/gtest.h>

#include <random>

namespace tandem::ir {
namespace {

bool same(const Block &a, const Block &b) {
    if (a.page_offset != b.page_offset || a.mode != b.mode || a.guest_bytes != b.guest_bytes ||
        a.guest_instructions != b.guest_instructions || a.insts.size() != b.insts.size())
        return false;
    for (std::size_t i = 0; i < a.insts.size(); ++i)
        if (a.insts[i].op != b.insts[i].op || a.insts[i].args != b.insts[i].args ||
            a.insts[i].imm != b.insts[i].imm)
            return false;
    return true;
}

TEST(Text, PrintsOneLinePerInstruction) {
    Block block;
    block.page_offset = 0x40;
    block.guest_bytes = 4;
    block.guest_instructions = 1;
    Builder b(block);
    b.Insn(insn_imm(0x40, 0));
    const I64 x1 = b.GetState64(8);
    const I64 four = b.Const64(4);
    b.SetState64(b.Add64(x1, four), 16);
    b.Exit(0x44);
    EXPECT_EQ(print(block), "block offset=0x40 mode=0x0 bytes=4 instructions=1\n"
                            "  Insn #0x40\n"
                            "  %1 = GetState64 #0x8\n"
                            "  %2 = Const64 #0x4\n"
                            "  %3 = Add64 %1 %2\n"
                            "  SetState64 %3 #0x10\n"
                            "  Exit #0x44\n");
}

TEST(Text, EveryOpcodeRoundTrips) {
    Block block;
    block.mode = 0xffffffff;
    for (unsigned i = 0; i < kOpcodeCount; ++i) {
        Inst inst{.op = static_cast<Opcode>(i), .imm = i % 3 == 0 ? 0 : ~u64{i}};
        for (unsigned a = 0; a < info(inst.op).arg_count; ++a)
            inst.args[a] = static_cast<ValueId>(i * 7 + a);
        block.insts.push_back(inst);
    }
    const auto parsed = parse(print(block));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_TRUE(same(block, *parsed));
}

TEST(Text, ErrorsNameTheLine) {
    const auto message = [](const char *text) { return parse(text).error().message; };
    EXPECT_EQ(message(""), "IR text, line 0: no 'block' line");
    EXPECT_EQ(message("blok"), "IR text, line 1: expected 'block'");
    EXPECT_EQ(message("block offset"), "IR text, line 1: expected name=number");
    EXPECT_EQ(message("block\n\n Foo"), "IR text, line 3: unknown operation");
    EXPECT_EQ(message("block\n %1 = Const64"),
              "IR text, line 2: a value is named by the index of its instruction");
    EXPECT_EQ(message("block\n %0 = Const64 7"), "IR text, line 2: expected %value or #immediate");
    EXPECT_EQ(message("block\n %0 = Add64 %0"), "IR text, line 2: wrong number of arguments");
}

TEST(Text, GarbageIsRefusedNotCrashedOn) {
    std::mt19937 random(1);
    const std::string valid = "block offset=0x40 mode=1\n  %0 = Const64 #0x4\n  Exit #0x44\n";
    for (int i = 0; i < 20000; ++i) {
        std::string text = valid;
        for (int edits = 0; edits < 3; ++edits)
            text[random() % text.size()] = static_cast<char>(random() % 128);
        const auto parsed = parse(text);
        EXPECT_TRUE(!parsed || parse(print(*parsed)));
    }
}

} // namespace
} // namespace tandem::ir
