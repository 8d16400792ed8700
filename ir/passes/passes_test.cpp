#include "ir/memory_op.h"
#include "ir/passes/passes.h"
#include "ir/plain_access.h"

#include "ir/text/text.h"
#include "ir/verifier/verifier.h"

#include <gtest/gtest.h>

namespace tandem::ir {
namespace {

u64 do_nothing(ExecContext &, u64, u64, u64, u64, u64) {
    return 0;
}

// Helper 0 sees the state, helper 1 does not, helper 2 may only leave.
constexpr Helper kHelpers[] = {{"state", do_nothing, true, false},
                               {"plain", do_nothing, false, false},
                               {"leaves", do_nothing, false, true}};

/// The body (between "Insn" and the end) after optimise().
std::string optimised(const std::string &body) {
    auto block = parse("block instructions=1\n Insn\n" + body);
    EXPECT_TRUE(block) << block.error().message;
    EXPECT_TRUE(verify(*block, kHelpers)) << verify(*block, kHelpers).error().message;
    optimise(*block, kHelpers);
    const auto valid = verify(*block, kHelpers);
    EXPECT_TRUE(valid) << valid.error().message;
    const std::string text = print(*block);
    return text.substr(text.find("Insn\n") + 5);
}

TEST(Passes, ForwardsAWriteToALaterRead) {
    EXPECT_EQ(optimised("%1 = Const64 #0x5\n SetState64 %1 #0x8\n %3 = GetState64 #0x8\n"
                        "SetState64 %3 #0x10\n Exit"),
              "  %1 = Const64 #0x5\n  SetState64 %1 #0x8\n  SetState64 %1 #0x10\n  Exit\n");
}

TEST(Passes, ForwardsScalarsThroughVectorRegisters) {
    EXPECT_EQ(optimised("%1 = GetStateF64 #0x200\n %2 = FAdd64 %1 %1\n %3 = VFromF64 %2\n"
                        "SetStateV128 %3 #0x200\n %5 = GetStateF64 #0x200\n %6 = FMul64 %5 %5\n"
                        "%7 = VFromF64 %6\n SetStateV128 %7 #0x200\n Exit"),
              "  %1 = GetStateF64 #0x200\n  %2 = FAdd64 %1 %1\n  %3 = FMul64 %2 %2\n"
              "  %4 = VFromF64 %3\n  SetStateV128 %4 #0x200\n  Exit\n");
}

TEST(Passes, AHelperThatSeesStateStopsForwarding) {
    const std::string body = "%1 = Const64 #0x5\n SetState64 %1 #0x8\n %3 = Call0 #0x0\n"
                             "%4 = GetState64 #0x8\n SetState64 %4 #0x10\n Exit";
    EXPECT_NE(optimised(body).find("GetState64"), std::string::npos);
    std::string plain = body;
    plain.replace(plain.find("#0x0"), 4, "#0x1");
    EXPECT_EQ(optimised(plain).find("GetState64"), std::string::npos);
}

TEST(Passes, APartialOverwriteStopsForwarding) {
    EXPECT_NE(optimised("%1 = Const64 #0x5\n %2 = Const32 #0x6\n SetState64 %1 #0x8\n"
                        "SetState32 %2 #0xc\n %5 = GetState64 #0x8\n SetState64 %5 #0x10\n Exit")
                  .find("GetState64"),
              std::string::npos);
}

TEST(Passes, RemovesOverwrittenFlagsAndTheirProducer) {
    EXPECT_EQ(optimised("%1 = GetState64 #0x8\n %2 = SubFlags64 %1 %1\n SetFlags %2 #0x110\n"
                        "%4 = LogicFlags64 %1\n SetFlags %4 #0x110\n Exit"),
              "  %1 = GetState64 #0x8\n  %2 = LogicFlags64 %1\n  SetFlags %2 #0x110\n  Exit\n");
}

TEST(Passes, KeepsWritesThatAnExceptionOrExitMayShow) {
    for (const char *observer : {"%3 = Load64 %1", "%3 = Call0 #0x2"}) {
        const std::string text =
            optimised("%1 = GetState64 #0x8\n SetState64 %1 #0x10\n" + std::string(observer) +
                      "\n %4 = Const64 #0x1\n SetState64 %4 #0x10\n Exit");
        EXPECT_NE(text.find("SetState64 %1 #0x10"), std::string::npos) << observer;
    }
}

TEST(Passes, FoldsConstantsByTheirDefinition) {
    EXPECT_EQ(optimised("%1 = Const64 #0x5\n %2 = Const64 #0x7\n %3 = Mul64 %1 %2\n"
                        "%4 = Low32 %3\n %5 = Not32 %4\n %6 = SignExtend32 %5\n"
                        "SetState64 %6 #0x8\n Exit"),
              "  %1 = Const64 #0xffffffffffffffdc\n  SetState64 %1 #0x8\n  Exit\n");
}

TEST(Passes, RemovesIdentities) {
    EXPECT_EQ(optimised("%1 = Const64\n %2 = GetState64 #0x8\n %3 = Add64 %2 %1\n"
                        "%4 = Or64 %1 %3\n %5 = Shl64 %4 %1\n SetState64 %5 #0x10\n Exit"),
              "  %1 = GetState64 #0x8\n  SetState64 %1 #0x10\n  Exit\n");
}

TEST(Passes, KeepsUnusedOperationsThatRaiseFlags) {
    EXPECT_NE(optimised("%1 = GetStateF64 #0x200\n %2 = FDiv64 %1 %1\n Exit").find("FDiv64"),
              std::string::npos);
}

/// The MemoryOps of the accesses after optimise().
std::vector<MemoryOp> accesses(const std::string &body) {
    auto block = parse("block instructions=1\n Insn\n" + body);
    EXPECT_TRUE(block) << block.error().message;
    optimise(*block, kHelpers);
    std::vector<MemoryOp> result;
    for (const Inst &inst : block->insts)
        if (plain_access(inst.op)) result.push_back(MemoryOp::unpack(inst.imm));
    return result;
}

const std::string kBaseAndOffsets = "%1 = GetState64 #0x8\n %2 = Const64 #0x10\n"
                                    "%3 = Add64 %1 %2\n %4 = Add64 %3 %2\n";

TEST(Passes, AccessesNearOneBaseShareACheck) {
    // At the base plus 16, plus 0 and plus 32, through a chain of additions.
    const auto found =
        accesses(kBaseAndOffsets + "%5 = Load64 %3\n SetState64 %5 #0x10\n"
                                   "%7 = Load32 %1\n SetState64 %7 #0x18\n"
                                   "%9 = LoadPair64 %4\n %10 = Second\n"
                                   "SetState64 %9 #0x20\n SetState64 %10 #0x28\n Exit");
    ASSERT_EQ(found.size(), 3u);
    EXPECT_TRUE(found[0].leads_check);
    EXPECT_EQ(found[0].check_before, 16);
    EXPECT_EQ(found[0].check_after, 48 - 24);
    EXPECT_FALSE(found[1].leads_check || found[1].ends_check);
    EXPECT_TRUE(found[2].ends_check);
}

TEST(Passes, NoCheckIsSharedAcross) {
    struct Case {
        const char *what;
        const char *second;
    };
    for (const Case &c : {
             Case{"a helper", "%4 = Call0 #0x1\n %5 = Load64 %1\n SetState64 %5 #0x18\n"},
             Case{"directions", "Store64 %1 %1\n"},
             Case{"regimes", "%4 = Load64 %1 #0x1\n SetState64 %4 #0x18\n"},
             Case{"alignments", "%4 = Load64 %1 #0x4\n SetState64 %4 #0x18\n"},
             Case{"more than 128 bytes", "%4 = Const64 #0x80\n %5 = Add64 %1 %4\n"
                                         "%6 = Load8 %5\n SetState64 %6 #0x18\n"},
         }) {
        const std::string first = "%1 = GetState64 #0x8\n %2 = Load64 %1\n SetState64 %2 #0x10\n";
        const auto found = accesses(first + c.second + "Exit");
        ASSERT_EQ(found.size(), 2u) << c.what;
        for (const MemoryOp &op : found) EXPECT_FALSE(op.leads_check || op.ends_check) << c.what;
    }
}

} // namespace
} // namespace tandem::ir
