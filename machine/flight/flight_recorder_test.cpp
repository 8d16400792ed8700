/// A machine whose last part is kept and written, and goes on from there to the same end.
#include "machine/flight/flight_recorder.h"

#include "machine/flight/start_state.h"
#include "machine/replay/testing/recorded_machine.h"

namespace tandem::machine::flight {
namespace {

using replay::Session;
using replay::Verdict;

/// Counts how often it looks for a character, writes the count to one page after the other, and
/// echoes what it gets until that is a q.
constexpr std::array<u32, 20> kProgram{
    0xd2a1'2001, // movz x1, #0x0900, lsl #16
    0x5280'6022, // mov w2, #0x301
    0xb900'3022, // str w2, [x1, #0x30]
    0xd2a8'2013, // mov x19, #0x41000000
    0xd282'7106, // 1: mov x6, #5000
    0xf100'04c6, // 2: subs x6, x6, #1
    0x54ff'ffe1, // b.ne 2b
    0x9100'04a5, // add x5, x5, #1
    0xd374'18a7, // ubfiz x7, x5, #12, #7
    0xf827'6a65, // str x5, [x19, x7]
    0xb940'1822, // ldr w2, [x1, #0x18]
    0x3727'ff22, // tbnz w2, #4, 1b
    0xb940'0023, // ldr w3, [x1]
    0xb900'0023, // str w3, [x1]
    0x7101'c47f, // cmp w3, #'q'
    0x54ff'fea1, // b.ne 1b
    0x5280'0100, // mov w0, #0x0008
    0x72b0'8000, // movk w0, #0x8400, lsl #16
    0xd400'0002, // hvc #0
    0x1400'0000, // b .
};

class FlightTest : public replay::testing::RecordedMachine {
protected:
    FlightTest() : RecordedMachine(kProgram) {}
    ~FlightTest() override {
        for (const std::string &file : files) std::filesystem::remove(file);
    }

    /// The last part of the run is kept.
    Ran fly(std::string text, const RingConfig &ring, std::optional<std::string> why) {
        std::unique_ptr<FlightRecorder> recorder;
        before_run = [&](Session &, Board &board) {
            EXPECT_TRUE(recorder->set_board(board).has_value());
        };
        after_run = [&](replay::RunEnd end) {
            recorder->finish(end, why);
            report = recorder->report();
        };
        const Ran ran = run(std::move(text), [&](Session &session) {
            recorder = FlightRecorder::create(
                           session, {}, ring, recording, "{}",
                           {.dumped =
                                [&](const FlightRecorder::Dump &dump, const std::string &reason) {
                                    files.push_back(dump.path);
                                    dumps.push_back(dump);
                                    reasons.push_back(reason);
                                },
                            .failed = [](const Error &error) { ADD_FAILURE() << error.message; }})
                           .value();
        });
        before_run = nullptr;
        after_run = nullptr;
        return ran;
    }
    /// Replays a file that begins anywhere.
    Ran replay_from_start(const std::string &file) {
        recording = file;
        before_run = [&](Session &session, Board &board) {
            const auto loaded = load_start(session, board, {}, recording);
            EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
        };
        const Ran ran = replay();
        before_run = nullptr;
        return ran;
    }

    std::vector<std::string> files, reasons;
    std::vector<FlightRecorder::Dump> dumps;
    std::string report;
};

constexpr u64 kMillisecond = 1'000'000;

TEST_F(FlightTest, TheLastPartEndsAsTheRunDid) {
    stop_at.moment = 60 * kMillisecond;
    const Ran flown = fly("hello, world", {.time_ns = 10 * kMillisecond}, "it ended badly");
    EXPECT_EQ(flown.output, "hello, world");
    ASSERT_EQ(dumps.size(), 1u);
    EXPECT_EQ(reasons[0], "it ended badly");
    EXPECT_EQ(dumps[0].to_ns, 60 * kMillisecond);
    const u64 length = dumps[0].to_ns - dumps[0].from_ns;
    EXPECT_GE(length, 10 * kMillisecond);
    EXPECT_LE(length, 15 * kMillisecond + 1'000);
    stop_at = {};
    for (const auto kind : {AcceleratorKind::Interpreter, AcceleratorKind::Jit}) {
        config.accelerator = kind;
        const Ran again = replay_from_start(files[0]);
        EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
        EXPECT_EQ(again.report, flown.report);
    }
}

TEST_F(FlightTest, WhatIsTypedLateIsInTheFile) {
    // Each character takes some time, so that only the last ones are in the last part.
    const std::string text(3000, 'x');
    const Ran flown = fly(text + "q", {.time_ns = 2 * kMillisecond}, "guest");
    EXPECT_EQ(flown.output, text + "q");
    const Ran again = replay_from_start(files.at(0));
    EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
    EXPECT_EQ(again.report, flown.report);
    EXPECT_LT(again.output.size(), text.size() / 2);
    EXPECT_EQ(again.output.back(), 'q');
}

TEST_F(FlightTest, ATextMakesAFileAndTheRunGoesOn) {
    stop_at.moment = 1'300 * kMillisecond;
    const Ran flown =
        fly("oops, oops", {.time_ns = 200 * kMillisecond, .text = "oops"}, std::nullopt);
    ASSERT_EQ(dumps.size(), 1u) << "the second text came before the first file was written";
    EXPECT_NE(reasons[0].find("oops"), std::string::npos);
    EXPECT_GE(dumps[0].to_ns, FlightRecorder::kAfterText);
    EXPECT_LT(dumps[0].to_ns, FlightRecorder::kAfterText + 50 * kMillisecond);
    stop_at = {};
    const Ran again = replay_from_start(files[0]);
    EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
}

TEST_F(FlightTest, ARunThatEndsWellLeavesNothing) {
    static_cast<void>(fly("abcq", {.time_ns = 10 * kMillisecond, .text = "zzz"}, std::nullopt));
    EXPECT_TRUE(dumps.empty());
    EXPECT_FALSE(std::filesystem::exists(recording));
}

TEST_F(FlightTest, ASizeBoundsThePast) {
    // 128 pages change between two checkpoints.
    stop_at.moment = 26 * kMillisecond;
    static_cast<void>(fly("", {.bytes = u64{1536} << 10, .interval_ns = 5 * kMillisecond}, "end"));
    ASSERT_EQ(dumps.size(), 1u);
    // The present and two of the past.
    EXPECT_GE(dumps[0].from_ns, 15 * kMillisecond);
    EXPECT_LT(dumps[0].from_ns, 16 * kMillisecond);
    stop_at = {};
    const Ran again = replay_from_start(files[0]);
    EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
}

TEST_F(FlightTest, WhatIsThereIsKept) {
    std::ofstream(recording) << "mine";
    Session session({}, 1, {.execute = [](replay::Command) {}, .stop = [] {}});
    const auto recorder = FlightRecorder::create(session, {}, {}, recording, "{}", {});
    ASSERT_FALSE(recorder.has_value());
    EXPECT_NE(recorder.error().message.find("is there already"), std::string::npos);
}

TEST_F(FlightTest, AStartThatIsCutOffIsRefused) {
    stop_at.moment = 30 * kMillisecond;
    static_cast<void>(fly("a", {.time_ns = 10 * kMillisecond}, "end"));
    stop_at = {};
    const u64 size = std::filesystem::file_size(files.at(0));
    std::filesystem::resize_file(files[0], size / 2);
    recording = files[0];
    std::string message;
    before_run = [&](Session &session, Board &board) {
        const auto loaded = load_start(session, board, {}, recording);
        ASSERT_FALSE(loaded.has_value());
        message = loaded.error().message;
        board.stop(StopReason::Quit);
    };
    static_cast<void>(replay());
    EXPECT_NE(message.find("cut off, within its start"), std::string::npos) << message;
}

} // namespace
} // namespace tandem::machine::flight
