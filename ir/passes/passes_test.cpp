#include "ir/passes/passes.h"

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

} // namespace
} // namespace tandem::ir
