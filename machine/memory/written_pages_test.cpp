#include "machine/memory/written_pages.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

using Reader = WrittenPages::Reader;

class WrittenPagesTest : public ::testing::Test {
protected:
    u64 collected(Reader reader) {
        u64 word = 0;
        written.collect(reader, std::span(&word, 1));
        return word;
    }
    DirtyLog log{64 * DirtyLog::kPageSize};
    WrittenPages written{log};
};

TEST_F(WrittenPagesTest, EachReaderGetsWhatWasWrittenSinceItAsked) {
    written.start(Reader::Hash);
    log.mark(1);
    written.start(Reader::Follower);
    log.mark(2);
    EXPECT_EQ(collected(Reader::Follower), 0b100u);
    log.mark(3);
    EXPECT_EQ(collected(Reader::Hash), 0b1110u);
    EXPECT_EQ(collected(Reader::Hash), 0u);
    EXPECT_EQ(collected(Reader::Follower), 0b1000u);
}

TEST_F(WrittenPagesTest, TheLogIsOnWhileAnybodyReads) {
    EXPECT_FALSE(log.is_on());
    written.start(Reader::Saves);
    written.start(Reader::Hash);
    written.stop(Reader::Saves);
    EXPECT_FALSE(written.is_on(Reader::Saves));
    log.mark(5);
    EXPECT_EQ(collected(Reader::Saves), 0u);
    EXPECT_EQ(collected(Reader::Hash), 0b100000u);
    written.stop(Reader::Hash);
    EXPECT_FALSE(log.is_on());
    log.mark(6);
    written.start(Reader::Hash);
    EXPECT_EQ(collected(Reader::Hash), 0u);
}

TEST_F(WrittenPagesTest, WhoStartsAgainForgets) {
    written.start(Reader::Follower);
    log.mark(1);
    written.start(Reader::Follower);
    EXPECT_EQ(collected(Reader::Follower), 0u);
}

} // namespace
} // namespace tandem::machine
