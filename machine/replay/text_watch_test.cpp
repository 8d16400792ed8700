#include "machine/replay/text_watch.h"

#include <gtest/gtest.h>

#include <random>

namespace tandem::machine::replay {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

TEST(TextWatch, FindsWhatIsSplit) {
    TextWatch watch("login: ");
    EXPECT_FALSE(watch.is_in(bytes_of("debian lologi")));
    EXPECT_FALSE(watch.is_in(bytes_of("n:")));
    EXPECT_TRUE(watch.is_in(bytes_of(" root")));
    EXPECT_FALSE(watch.is_in(bytes_of("login:")));
}

/// Against the library, on texts of few letters, which repeat themselves.
TEST(TextWatch, FindsWhatASearchFinds) {
    std::mt19937 random(5);
    for (unsigned round = 0; round < 2000; ++round) {
        std::string text(1 + random() % 5, 'a'), all;
        for (char &letter : text) letter = static_cast<char>('a' + random() % 2);
        TextWatch watch(text);
        for (unsigned piece = 0; piece < 12; ++piece) {
            std::string more(random() % 4, 'a');
            for (char &letter : more) letter = static_cast<char>('a' + random() % 2);
            const std::size_t from = all.size() < text.size() ? 0 : all.size() - text.size() + 1;
            all += more;
            EXPECT_EQ(watch.is_in(bytes_of(more)), all.find(text, from) != std::string::npos)
                << text << " in " << all;
        }
    }
}

} // namespace
} // namespace tandem::machine::replay
