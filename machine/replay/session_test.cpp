/// A whole machine recorded and replayed, with changes to the recording that it must notice.
#include "machine/replay/session.h"

#include "machine/board/memory_map.h"
#include "machine/host/flash_storage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

/// A line at which a text waits; more comes whenever the guest has written something.
class Typist final : public devices::Char {
public:
    explicit Typist(std::string text) : text_(std::move(text)) {}
    std::size_t write(std::span<const std::byte> bytes) override {
        output.append(reinterpret_cast<const char *>(bytes.data()), bytes.size());
        if (listener_ != nullptr && !text_.empty()) listener_->readable();
        return bytes.size();
    }
    std::size_t read(std::span<std::byte> bytes) override {
        if (text_.empty() || bytes.empty()) return 0;
        bytes[0] = static_cast<std::byte>(text_.front());
        text_.erase(0, 1);
        return 1;
    }
    void set_listener(devices::CharListener *listener) override {
        listener_ = listener;
        if (listener_ != nullptr && !text_.empty()) listener_->readable();
    }
    std::string output;

private:
    std::string text_;
    devices::CharListener *listener_ = nullptr;
};

class SessionTest : public testing::Test {
protected:
    SessionTest() : path(temporary(".kernel")), recording(temporary(".recording")) {
        std::vector<u32> words(16);
        words[0] = 0x1400'0010; // b #64
        words[14] = 0x644d'5241;
        words.insert(words.end(), kProgram.begin(), kProgram.end());
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char *>(words.data()),
                   static_cast<std::streamsize>(words.size() * 4));
        config.kernel = path;
        config.memory = 32u << 20;
        config.cpus = 1;
    }
    ~SessionTest() override {
        std::filesystem::remove(path);
        std::filesystem::remove(recording);
    }
    static std::string temporary(const char *suffix) {
        return (std::filesystem::temp_directory_path() /
                ("session-" + std::to_string(::getpid()) + "-" +
                 testing::UnitTest::GetInstance()->current_test_info()->name() + suffix))
            .string();
    }

    struct Ran {
        ReplayResult result;
        std::string report, output;
    };
    /// Runs the machine with this text at its serial line until it ends.
    template <typename Prepare>
    Ran run(std::string text, Prepare prepare) {
        Typist typist(std::move(text));
        Board *running = nullptr;
        DeterministicConfig wanted;
        wanted.stop_at = stop_at;
        Session session(
            wanted, config.cpus,
            {.execute = [](Command) {}, .stop = [&] { running->stop(StopReason::Reached); }});
        prepare(session);
        std::array<std::unique_ptr<MemoryFlash>, 2> flash;
        HostBackends host;
        host.serial = &typist;
        for (std::size_t i = 0; i < flash.size(); ++i) {
            flash[i] = MemoryFlash::create(kFlashBankSize).value();
            host.flash[i] = flash[i].get();
        }
        const HostBackends inside = session.wrap(host);
        const auto board = Board::create(config, inside).value();
        running = board.get();
        session.set_board(running);
        const StopReason reason = board->run().value();
        Ran ran;
        ran.result = session.finish(reason == StopReason::PowerOff ? RunEnd::Guest : RunEnd::Host);
        ran.report = session.report();
        ran.output = typist.output;
        return ran;
    }
    Ran record(std::string text) {
        std::filesystem::remove(recording);
        return run(std::move(text), [&](Session &session) {
            session.record(JournalWriter::create(recording, "{}", [](const Error &error) {
                               ADD_FAILURE() << error.message;
                           }).value());
        });
    }
    Ran replay() {
        // What the host has is of no interest.
        return run("not the recorded text", [&](Session &session) {
            session.replay(JournalReader::open(recording).value());
        });
    }
    /// Writes the recording anew, with entries changed or (if `change` says false) left out.
    template <typename Change>
    void rewrite(Change change) {
        const auto reader = JournalReader::open(recording).value();
        std::filesystem::remove(recording);
        const auto writer = JournalWriter::create(recording, "{}", [](const Error &) {}).value();
        for (bool is_over = false; !is_over; reader->advance()) {
            Entry entry = reader->next();
            is_over = std::holds_alternative<EndEntry>(entry.what);
            if (!change(entry)) continue;
            if (const auto *input = std::get_if<InputEntry>(&entry.what))
                writer->input(entry.moment, input->port, input->bytes);
            else if (const auto *check = std::get_if<CheckEntry>(&entry.what))
                writer->check(entry.moment, check->hash);
            else
                writer->end(entry.moment, std::get<EndEntry>(entry.what));
        }
    }

    MachineConfig config;
    std::string path, recording;
    u64 stop_at = ~u64{0};
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
    stop_at = 30'000'000;
    const Ran recorded = record("no end");
    stop_at = ~u64{0};
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Finished) << again.result.message;
    EXPECT_EQ(again.report, recorded.report);
    stop_at = 20'000'000;
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
    stop_at = 60'000'000;
    static_cast<void>(record("abc"));
    unsigned checks = 0;
    rewrite([&](Entry &entry) {
        if (auto *check = std::get_if<CheckEntry>(&entry.what); check && ++checks == 3)
            check->hash ^= 1;
        return true;
    });
    EXPECT_EQ(checks, 6u);
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Diverged);
    EXPECT_NE(again.result.message.find("before number 30000000,"), std::string::npos)
        << again.result.message;
}

TEST_F(SessionTest, AFileThatEndsEarlyIsReplayedUpToThere) {
    static_cast<void>(record("abcq"));
    std::filesystem::resize_file(recording, std::filesystem::file_size(recording) - 1);
    const Ran again = replay();
    EXPECT_EQ(again.result.verdict, Verdict::Cut);
    EXPECT_NE(again.result.message.find("cut off"), std::string::npos);
}

} // namespace
} // namespace tandem::machine::replay
