#include "ir/verifier/verifier.h"

#include "ir/builder.h"
#include "ir/text/text.h"

#include <gtest/gtest.h>

namespace tandem::ir {
namespace {

std::string verdict(const char *text, std::span<const Helper> helpers = {}) {
    const auto block = parse(text);
    if (!block) return block.error().message;
    const auto result = verify(*block, helpers);
    return result ? "valid" : result.error().message;
}

TEST(Verifier, AcceptsAValidBlock) {
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = GetState64\n %2 = LoadPair64 %1\n"
                      " %3 = Second\n SetState64 %3\n Exit"),
              "valid");
}

TEST(Verifier, NamesTheFirstFault) {
    EXPECT_EQ(verdict("block"), "IR block: empty");
    EXPECT_EQ(verdict("block offset=4096 instructions=1\n Insn\n Exit"),
              "IR block: page offset outside the page");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = Not64 %1\n Exit"),
              "IR block: instruction 1 (Not64): argument is not defined before");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = Const32\n %2 = Not64 %1\n Exit"),
              "IR block: instruction 2 (Not64): argument has the wrong type");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n Exit\n Exit"),
              "IR block: instruction 1 (Exit): block must end with its only final exit");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = Const64"),
              "IR block: instruction 1 (Const64): block must end with its only final exit");
    EXPECT_EQ(verdict("block instructions=1\n %0 = Const64\n Insn\n Exit"),
              "IR block: instruction 0 (Const64): operation before the first Insn");
    EXPECT_EQ(verdict("block instructions=2\n Insn\n Insn\n Exit"),
              "IR block: instruction 1 (Insn): marker out of sequence");
    EXPECT_EQ(verdict("block instructions=2\n Insn\n Exit"),
              "IR block: guest_instructions does not count the Insn markers");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = Second\n Exit"),
              "IR block: instruction 1 (Second): does not follow its pair operation");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = Call0\n Exit"),
              "IR block: instruction 1 (Call0): no such helper");
    EXPECT_EQ(verdict("block instructions=1\n Insn\n %1 = Const64\n %2 = Load64 %1 #3\n Exit"),
              "IR block: instruction 2 (Load64): no such regime");
}

TEST(Verifier, KnowsTheImmediatesOfIntegerOperations) {
    const auto unary = [](const std::string &operation) {
        return verdict(
            ("block instructions=1\n Insn\n %1 = Const64\n %2 = " + operation + "\n Exit\n")
                .c_str());
    };
    const auto refused = [&](const std::string &name, const std::string &operands) {
        return unary(name + operands) ==
               "IR block: instruction 2 (" + name + "): the immediate is out of range";
    };
    EXPECT_EQ(unary("BitfieldExtractSigned64 %1 #0x4000"), "valid"); // all 64 bits
    EXPECT_EQ(unary("BitfieldExtractSigned64 %1 #0x13f"), "valid");  // the topmost
    EXPECT_TRUE(refused("BitfieldExtractSigned64", " %1"));          // none
    EXPECT_TRUE(refused("BitfieldExtractSigned64", " %1 #0x4001"));
    EXPECT_TRUE(refused("BitfieldInsert64", " %1 %1 #0x10000"));
    EXPECT_EQ(unary("Extract64 %1 %1 #63"), "valid");
    EXPECT_TRUE(refused("Extract64", " %1 %1 #64"));
    EXPECT_TRUE(refused("TestBit64", " %1 #64"));
}

} // namespace
} // namespace tandem::ir
