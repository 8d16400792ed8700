// What predecoding may not change, block by block. (Random blocks: jit/baseline/block_test.cpp.)
#include "ir/interpreter/interpreter.h"

#include "ir/interpreter/predecoder.h"
#include "ir/text/text.h"
#include "ir/verifier/verifier.h"

#include <gtest/gtest.h>

namespace tandem::ir {
namespace {

constexpr u64 kPage = 0x7000;

/// Every load and store faults.
class NoMemory final : public MemoryAccess {
public:
    u64 load(ExecContext &c, u64, unsigned, MemoryOp) override { return fault(c); }
    void store(ExecContext &c, u64, unsigned, u64, MemoryOp) override { fault(c); }
    Vec load128(ExecContext &c, u64, MemoryOp) override { return Vec{{fault(c), 0}}; }
    void store128(ExecContext &c, u64, Vec, MemoryOp) override { fault(c); }
    u64 atomic(ExecContext &c, u64, u64, MemoryOp) override { return fault(c); }
    u64 compare_swap(ExecContext &c, u64, u64, u64, MemoryOp) override { return fault(c); }
    Vec compare_swap128(ExecContext &c, u64, Vec, Vec, MemoryOp) override {
        return Vec{{fault(c), 0}};
    }
    Vec load_exclusive(ExecContext &c, u64, MemoryOp) override { return Vec{{fault(c), 0}}; }
    u32 store_exclusive(ExecContext &c, u64, Vec, MemoryOp) override {
        return static_cast<u32>(fault(c));
    }
    void clear_exclusive(ExecContext &) override {}

private:
    static u64 fault(ExecContext &context) {
        context.pending_exit = PendingExit::Resume;
        return 0xbad;
    }
};

u64 rewrite_x1(ExecContext &context, u64 a, u64, u64, u64 d, u64) {
    context.gpr[1] = 99;
    return a + d;
}
constexpr Helper kHelpers[] = {{"rewrite_x1", rewrite_x1, true, false}};

class Interpreter : public testing::Test {
protected:
    Interpreter() {
        for (u64 i = 0; i < context_.gpr.size(); ++i) context_.gpr[i] = 1000 + i;
        context_.pc_page = kPage;
        context_.memory = &memory_;
        for (TlbEntry *&table : context_.tlb) table = tlb_.data();
    }

    /// The registers afterwards are those of context_.
    u32 run(const std::string &body) {
        auto block = parse("block instructions=1\n Insn #0x40\n" + body);
        EXPECT_TRUE(block) << block.error().message;
        const auto valid = verify(*block, kHelpers);
        EXPECT_TRUE(valid) << valid.error().message;
        Arena arena;
        Predecoder predecoder(kHelpers, arena);
        op_count_ = predecoder.predecode(*block).size();
        return Predecoded(*block, predecoder).run(context_);
    }

    NoMemory memory_;
    std::array<TlbEntry, kTlbEntries> tlb_{};
    ExecContext context_;
    std::size_t op_count_ = 0;
};

TEST_F(Interpreter, TakesOneOperationForAnAdditionOfAConstant) {
    EXPECT_EQ(run("%1 = GetState64 #0x8\n %2 = Const64 #0x5\n %3 = Add64 %1 %2\n"
                  "SetState64 %3 #0x10\n Exit #0x44"),
              1u);
    EXPECT_EQ(context_.gpr[2], 1006u);
    EXPECT_EQ(context_.pc, kPage + 0x44);
    EXPECT_EQ(op_count_, 2u);
}

TEST_F(Interpreter, ClearsTheUpperHalfOfA32BitResult) {
    context_.gpr[1] = 0xffff'ffff'ffff'ffff;
    run("%1 = GetState32 #0x8\n %2 = Const32 #0x1\n %3 = Sub32 %1 %2\n %4 = ZeroExtend32 %3\n"
        "SetState64 %4 #0x8\n %6 = GetState32 #0x10\n %7 = ZeroExtend32 %6\n"
        "SetState64 %7 #0x18\n Exit");
    EXPECT_EQ(context_.gpr[1], 0xffff'fffeu);
    EXPECT_EQ(context_.gpr[3], 1002u);
}

TEST_F(Interpreter, ExchangesRegisters) {
    run("%1 = GetState64 #0x8\n %2 = GetState64 #0x10\n SetState64 %2 #0x8\n"
        "SetState64 %1 #0x10\n Exit");
    EXPECT_EQ(context_.gpr[1], 1002u);
    EXPECT_EQ(context_.gpr[2], 1001u);
}

TEST_F(Interpreter, ReadsStateBeforeAnEarlyWriteOfIt) {
    // The sum may not be written to x1 before the difference has read it.
    run("%1 = GetState64 #0x8\n %2 = GetState64 #0x10\n %3 = Add64 %1 %2\n %4 = Sub64 %1 %2\n"
        "SetState64 %4 #0x18\n SetState64 %3 #0x8\n Exit");
    EXPECT_EQ(context_.gpr[1], 2003u);
    EXPECT_EQ(context_.gpr[3], ~u64{0});
    // Nor before a read that comes after its computation.
    run("%1 = GetState64 #0x10\n %2 = Add64 %1 %1\n %3 = GetState64 #0x8\n SetState64 %3 #0x20\n"
        "SetState64 %2 #0x8\n Exit");
    EXPECT_EQ(context_.gpr[4], 2003u);
    EXPECT_EQ(context_.gpr[1], 2004u);
}

TEST_F(Interpreter, KeepsAValueWhoseRegisterIsWrittenTwice) {
    run("%1 = GetState64 #0x8\n %2 = Add64 %1 %1\n SetState64 %2 #0x10\n %4 = Sub64 %2 %1\n"
        "SetState64 %4 #0x10\n SetState64 %2 #0x18\n Exit");
    EXPECT_EQ(context_.gpr[2], 1001u);
    EXPECT_EQ(context_.gpr[3], 2002u);
}

TEST_F(Interpreter, WritesNothingAheadOfAnException) {
    EXPECT_EQ(run("%1 = GetState64 #0x8\n %2 = Add64 %1 %1\n %3 = Load64 %1\n"
                  "SetState64 %3 #0x18\n SetState64 %2 #0x10\n Exit"),
              1u);
    EXPECT_EQ(context_.pending_exit, PendingExit::Resume);
    EXPECT_EQ(context_.pc, kPage + 0x40);
    EXPECT_EQ(context_.gpr[2], 1002u);
    EXPECT_EQ(context_.gpr[3], 1003u);
}

TEST_F(Interpreter, KeepsAValueThatAHelperOverwrites) {
    run("%1 = GetState64 #0x8\n %2 = Const64 #0x7\n %3 = Call4 %1 %1 %1 %2 #0x0\n"
        "SetState64 %3 #0x10\n SetState64 %1 #0x18\n %6 = GetState64 #0x8\n"
        "SetState64 %6 #0x20\n Exit");
    EXPECT_EQ(context_.gpr[2], 1008u);
    EXPECT_EQ(context_.gpr[3], 1001u);
    EXPECT_EQ(context_.gpr[4], 99u);
}

TEST_F(Interpreter, WritesFlagsWithoutTheirNeighbour) {
    context_.interrupt_lines = 1;
    run("%1 = GetState64 #0x8\n %2 = SubFlags64 %1 %1\n SetFlags %2 #0x110\n %4 = CondHolds %2\n"
        "ExitIf %4 #0x80\n Exit #0x44");
    static_assert(__builtin_offsetof(ExecContext, flags) == 0x110);
    EXPECT_EQ(context_.flags, kFlagZ | kFlagC);
    EXPECT_EQ(context_.pending_exit, PendingExit::None);
    EXPECT_EQ(context_.pc, kPage + 0x80);
    EXPECT_EQ(op_count_, 3u);
}

TEST_F(Interpreter, FindsAConditionInFlagsThatHaveChangedSince) {
    run("%1 = GetState64 #0x8\n %2 = SubFlags64 %1 %1\n SetFlags %2 #0x110\n %4 = CondHolds %2\n"
        "%5 = LogicFlags64 %1\n SetFlags %5 #0x110\n ExitIf %4 #0x80\n Exit #0x44");
    EXPECT_EQ(context_.flags, 0u);
    EXPECT_EQ(context_.pc, kPage + 0x80);
}

} // namespace
} // namespace tandem::ir
