#include "machine/debug/gdb/gdb_address.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

TEST(GdbAddress, IsOfThisHostUnlessOneIsNamed) {
    const auto parse = [](std::string_view text) {
        return parse_gdb_address("--gdb", text).value();
    };
    const GdbAddress local{"127.0.0.1", 1234, ""};
    for (const char *text : {":1234", "tcp::1234", "127.0.0.1:1234", "tcp:127.0.0.1:1234"})
        EXPECT_EQ(parse(text), local) << text;
    EXPECT_EQ(parse("[::1]:0"), (GdbAddress{"::1", 0, ""}));
    EXPECT_EQ(parse("0.0.0.0:99").host, "0.0.0.0");
    EXPECT_EQ(parse("unix:/tmp/a:b").path, "/tmp/a:b");
    for (const char *text : {"", "1234", ":", "tcp:", ":65536", ":12x", "unix:"}) {
        const auto wrong = parse_gdb_address("--gdb", text);
        ASSERT_FALSE(wrong.has_value()) << text;
        EXPECT_TRUE(wrong.error().message.starts_with("--gdb ")) << text;
    }
}

} // namespace
} // namespace tandem::machine
