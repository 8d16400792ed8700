#pragma once
/// For tests: a machine with a program of a few instructions, recorded and replayed.
#include "machine/board/memory_map.h"
#include "machine/board/virt_board.h"
#include "machine/host/flash_storage.h"
#include "machine/replay/session.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem::machine::replay::testing {

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

class RecordedMachine : public ::testing::Test {
protected:
    explicit RecordedMachine(std::span<const u32> program)
        : path(temporary(".kernel")), recording(temporary(".recording")) {
        std::vector<u32> words(16);
        words[0] = 0x1400'0010; // b #64
        words[14] = 0x644d'5241;
        words.insert(words.end(), program.begin(), program.end());
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char *>(words.data()),
                   static_cast<std::streamsize>(words.size() * 4));
        config.kernel = path;
        config.memory = 32u << 20;
        config.cpus = 1;
    }
    ~RecordedMachine() override {
        std::filesystem::remove(path);
        std::filesystem::remove(recording);
    }
    static std::string temporary(const char *suffix) {
        return (std::filesystem::temp_directory_path() /
                ("session-" + std::to_string(::getpid()) + "-" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name() + suffix))
            .string();
    }

    struct Ran {
        ReplayResult result;
        std::string report, output;
        std::vector<std::string> lives; ///< why it went live
    };
    /// Runs the machine with this text at its serial line until it ends.
    template <typename Prepare>
    Ran run(std::string text, Prepare prepare) {
        Typist typist(std::move(text));
        Board *running = nullptr;
        Ran ran;
        DeterministicConfig wanted;
        wanted.stop_at = stop_at;
        wanted.goes_live = goes_live;
        Session session(wanted, config.cpus,
                        {.execute = [](Command) {},
                         .stop = [&] { running->stop(StopReason::Reached); },
                         .went_live = [&](const std::string &why) { ran.lives.push_back(why); }});
        prepare(session);
        std::array<std::unique_ptr<MemoryFlash>, 2> flash;
        HostBackends host;
        host.serial = &typist;
        for (std::size_t i = 0; i < flash.size(); ++i) {
            flash[i] = MemoryFlash::create(kFlashBankSize).value();
            host.flash[i] = flash[i].get();
        }
        const HostBackends inside = session.wrap(host);
        const auto board = VirtBoard::create(config, inside).value();
        running = board.get();
        session.set_board(running);
        EXPECT_TRUE(board->prepare().has_value());
        if (before_run) before_run(session, *board);
        const StopReason reason = board->run().value();
        const RunEnd end = reason == StopReason::PowerOff ? RunEnd::Guest : RunEnd::Host;
        ran.result = session.finish(end);
        if (after_run) after_run(end);
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
    /// What the host has is of no interest, unless the replay goes live.
    Ran replay(std::string text = "not the recorded text") {
        return run(std::move(text), [&](Session &session) {
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
                writer->check(entry.moment, *check);
            else
                writer->end(entry.moment, std::get<EndEntry>(entry.what));
        }
    }

    MachineConfig config;
    std::string path, recording;
    StopPoint stop_at;
    bool goes_live = false;
    std::function<void(Session &, Board &)> before_run;
    std::function<void(RunEnd)> after_run;
};

} // namespace tandem::machine::replay::testing
