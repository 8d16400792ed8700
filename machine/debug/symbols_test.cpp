#include "machine/debug/symbols.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

TEST(Symbols, NamesTheNearestCodeBelow) {
    Symbols symbols;
    ASSERT_TRUE(symbols.parse("ffff800080000000 T _text\n"
                              "0000000000400100 t helper\n"
                              "                 U puts\n"
                              "0000000000400180 D data\n"
                              "0000000000400180 t $x\n"
                              "0000000000400200 W main\t[module]\n"));
    EXPECT_EQ(symbols.name(0x4000ff), "");
    EXPECT_EQ(symbols.name(0x400100), "helper+0x0");
    EXPECT_EQ(symbols.name(0x400190), "helper+0x90");
    EXPECT_EQ(symbols.name(0x400204), "main+0x4");
    EXPECT_EQ(symbols.name(0x10000000), "");
    EXPECT_EQ(symbols.name(0xffff'8000'8000'0010), "_text+0x10");
}

TEST(Symbols, RefusesOtherText) {
    Symbols symbols;
    EXPECT_FALSE(symbols.parse("\x7f"
                               "ELF\n"));
    EXPECT_FALSE(symbols.parse("400100 main\n"));
    const Result<> missing = symbols.read("/no/such/file");
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().message,
              "--symbols /no/such/file: No such file or directory; name a file that nm made");
}

} // namespace
} // namespace tandem::machine
