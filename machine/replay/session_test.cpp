/// A whole machine recorded and replayed, with changes to the recording that it must notice.
#include "machine/replay/testing/recorded_machine.h"

namespace tandem::machine::replay {
namespace {

/// Counts how often it looks for a character, and mixes that with those it gets; echoes them until
/// it gets a q.
constexpr std::array<u32, 17> kProgram{
    0xd2a1'2001, // movz x1, #0x0900, lsl #16
    0x5280'6022, // mov w2, #0x301
    0xb900'3022, // str w2, [x1, #0x30]
    0xd282'7106, // 1: mov x6, #5000
    0xf100'04c6, // 2: subs x6, x6, #1
    0x54ff'ffe1, // b.ne 2b
    0x9100'04a5, // add x5, x5, #1
    0xb940'1822, // ldr w2, [x1, #0x18]
    0x3727'ff62, // tbnz w2, #4, 1b
    0xb940'0023, // ldr w3, [x1]
    0xb900'0023, // str w3, [x1]
    0xca04'14a4, // eor x4, x5, x4, lsl #5
    0x7101'c47f, // cmp w3, #'q'
    0x54ff'fec1, // b.ne 1b
    0x5280'0100, // mov w0, #0x0008
    0x72b0'8000, // movk w0, #0x8400, lsl #16
    0xd400'0002, // hvc #0
};

class SessionTest : public testing::RecordedMachine {
protected:
    SessionTest() : RecordedMachine(kProgram) {}
};

TEST_F(SessionTest, AReplayIsTheRecordedRun) {
    const Ran recorded = record("hello, q");
    EXPECT_EQ(recorded.output, "hello, q");
    for (const auto kind : {AcceleratorKind::Interpreter, AcceleratorKind::Jit}) {
        config.accelerator = kind;
        const Ran again = replay();
        EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
        EXPECT_EQ(again.report, recorded.report);
        EXPECT_EQ(again.output, recorded.output);
    }
}

TEST_F(SessionTest, ARunThatIsStoppedReplaysToThere) {
    stop_at.moment = 30'000'000;
    const Ran recorded = record("no end");
    stop_at = {};
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
    EXPECT_EQ(again.report, recorded.report);
    stop_at.moment = 20'000'000;
    EXPECT_EQ(replay().result.verdict, Verdict::Stopped);
}

TEST_F(SessionTest, AnotherInputIsADivergence) {
    static_cast<void>(record("abcq"));
    rewrite([](Entry &entry) {
        static constexpr std::byte kOther{'z'};
        if (auto *input = std::get_if<InputEntry>(&entry.what);
            input && input->bytes[0] == std::byte{'b'})
            input->bytes = std::span(&kOther, 1);
        return true;
    });
    const Ran again = replay();
    EXPECT_EQ(again.output, "azcq");
    EXPECT_EQ(again.result.verdict, Verdict::Diverged);
    EXPECT_NE(again.result.message.find("at its end"), std::string::npos);
}

TEST_F(SessionTest, AMissingInputIsADivergence) {
    static_cast<void>(record("abcq"));
    rewrite([](Entry &entry) {
        const auto *input = std::get_if<InputEntry>(&entry.what);
        return input == nullptr || input->bytes[0] != std::byte{'q'};
    });
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Diverged);
    EXPECT_NE(again.result.message.find("went on"), std::string::npos) << again.result.message;
}

TEST_F(SessionTest, AnotherStateIsNoticedOnTheWay) {
    stop_at.moment = 60'000'000;
    static_cast<void>(record("abc"));
    unsigned checks = 0;
    rewrite([&](Entry &entry) {
        if (auto *check = std::get_if<CheckEntry>(&entry.what); check && ++checks == 3)
            check->devices ^= 1;
        return true;
    });
    EXPECT_EQ(checks, 6u);
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Diverged);
    EXPECT_NE(again.result.message.find("before number 30000000,"), std::string::npos)
        << again.result.message;
}

TEST_F(SessionTest, OtherMemoryIsNoticedOnTheWay) {
    stop_at.moment = 60'000'000;
    static_cast<void>(record("abc"));
    // A page that the guest never touches: only its hash can tell.
    before_run = [](Session &, Board &board) { board.ram().host()[20u << 20] ^= std::byte{4}; };
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Diverged);
    EXPECT_NE(again.result.message.find("before number 10000000,"), std::string::npos)
        << again.result.message;
    EXPECT_TRUE(again.result.message.ends_with(": not in memory")) << again.result.message;
}

TEST_F(SessionTest, AFileThatEndsEarlyIsReplayedUpToThere) {
    static_cast<void>(record("abcq"));
    std::filesystem::resize_file(recording, std::filesystem::file_size(recording) - 1);
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Cut);
    EXPECT_NE(again.result.message.find("cut off"), std::string::npos);
}

TEST_F(SessionTest, ARunStopsAtACountAndAtAText) {
    stop_at.position = 1'234'567;
    const Ran counted = record("abc");
    EXPECT_NE(counted.report.find(" 1234567 instructions"), std::string::npos) << counted.report;
    stop_at = {.text = "ell"};
    for (const auto kind : {AcceleratorKind::Interpreter, AcceleratorKind::Jit}) {
        config.accelerator = kind;
        const Ran said = record("hello, hello");
        EXPECT_EQ(said.output, "hell");
        stop_at = {};
        EXPECT_EQ(replay().report, said.report);
        stop_at = {.text = "ell"};
    }
}

TEST_F(SessionTest, AReplayGoesOnLiveAtTheRecordingsEnd) {
    stop_at.text = "abc";
    const Ran recorded = record("abc");
    EXPECT_EQ(recorded.output, "abc");
    stop_at = {};
    goes_live = true;
    const Ran live = replay("defq");
    EXPECT_EQ(live.result.verdict, Verdict::WentLive) << live.result.message;
    EXPECT_EQ(live.output, "abcdefq");
    EXPECT_EQ(live.lives, std::vector<std::string>{""});
}

TEST_F(SessionTest, AReplayLeavesItsRecordingWhereItShall) {
    static_cast<void>(record("abcdefq"));
    // What has entered by then stays there: the rest is to come later than that.
    rewrite([](Entry &entry) {
        const auto *input = std::get_if<InputEntry>(&entry.what);
        return input == nullptr || input->bytes[0] < std::byte{'e'};
    });
    goes_live = true;
    stop_at.text = "cd";
    const Ran live = replay("xyq");
    EXPECT_EQ(live.result.verdict, Verdict::WentLive) << live.result.message;
    EXPECT_EQ(live.output, "abcdxyq");
}

TEST_F(SessionTest, AReplayGoesOnLiveWhereTheFileEnds) {
    stop_at.moment = 30'000'000;
    static_cast<void>(record("abc"));
    stop_at = {};
    std::filesystem::resize_file(recording, std::filesystem::file_size(recording) - 1);
    goes_live = true;
    const Ran live = replay("q");
    EXPECT_EQ(live.result.verdict, Verdict::WentLive) << live.result.message;
    EXPECT_EQ(live.output.back(), 'q');
    ASSERT_EQ(live.lives.size(), 1u);
    EXPECT_NE(live.lives[0].find("cut off"), std::string::npos) << live.lives[0];
}

TEST_F(SessionTest, AReplayThatHasDivergedDoesNotGoLive) {
    stop_at.moment = 30'000'000;
    static_cast<void>(record("abc"));
    stop_at = {};
    rewrite([](Entry &entry) {
        if (auto *end = std::get_if<EndEntry>(&entry.what); end) end->hash.state ^= 1;
        return true;
    });
    goes_live = true;
    const Ran live = replay("q");
    EXPECT_EQ(live.result.verdict, Verdict::Diverged);
    EXPECT_TRUE(live.lives.empty());
}

TEST_F(SessionTest, AGuestThatEndedInItsRecordingDoesNotGoLive) {
    static_cast<void>(record("abcq"));
    goes_live = true;
    const Ran again = replay("no");
    EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
    EXPECT_EQ(again.output, "abcq");
}

} // namespace
} // namespace tandem::machine::replay
