#include "machine/host/escape_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tandem::machine {
namespace {

using Command = EscapeFilter::Command;

std::pair<std::string, Command> feed(EscapeFilter &filter, std::string_view text) {
    std::vector<std::byte> out;
    const Command command = filter.filter(std::as_bytes(std::span(text)), out);
    return {std::string(reinterpret_cast<const char *>(out.data()), out.size()), command};
}

TEST(EscapeFilter, PassesAndEscapes) {
    EscapeFilter filter;
    EXPECT_EQ(feed(filter, "ls\r"), std::pair(std::string("ls\r"), Command::None));
    EXPECT_EQ(feed(filter, "a\x01"), std::pair(std::string("a"), Command::None));
    EXPECT_EQ(feed(filter, "x"), std::pair(std::string(), Command::Quit));
    EXPECT_EQ(feed(filter, "\x01h"), std::pair(std::string(), Command::Help));
    EXPECT_EQ(feed(filter, "\x01p"), std::pair(std::string(), Command::PowerKey));
    EXPECT_EQ(feed(filter, "\x01s"), std::pair(std::string(), Command::Save));
    EXPECT_EQ(feed(filter, "\x01\x01"), std::pair(std::string("\x01"), Command::None));
    EXPECT_EQ(feed(filter, "\x01q"), std::pair(std::string("\x01q"), Command::None));
}

} // namespace
} // namespace tandem::machine
