/// Replays that are made to differ from their recording at a known instruction, which a search has
/// to find.
#include "machine/machine_bisect.h"

#include "machine/replay/journal/journal_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

using bisect::Finding;
using bisect::Subject;
using replay::JournalReader;
using replay::JournalWriter;

/// Two CPUs count, with exclusives and in many pages.
constexpr std::array<u32, 33> kProgram{
    0x1400'0010, // b #64
    0,           0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x644d'5241, // the magic of a kernel image
    0,
    0xd2a8'4013, // mov x19, #0x42000000
    0x5280'0060, // mov w0, #3
    0x72b8'8000, // movk w0, #0xc400, lsl #16
    0xd280'0021, // mov x1, #1
    0x1000'0042, // adr x2, 1f
    0xd400'0002, // hvc #0
    0xd2a8'4013, // 1: mov x19, #0x42000000
    0xc85f'7e6a, // 2: ldxr x10, [x19]
    0x9100'054a, // add x10, x10, #1
    0xc80b'7e6a, // stxr w11, x10, [x19]
    0x35ff'ffab, // cbnz w11, 2b
    0xd343'2d4c, // ubfx x12, x10, #3, #9
    0xd374'cd8c, // lsl x12, x12, #12
    0x9140'058c, // add x12, x12, #0x1000
    0xcacd'1d4d, // eor x13, x10, x13, ror #7
    0xf82c'6a6d, // str x13, [x19, x12]
    0x17ff'fff7, // b 2b
};
constexpr u64 kLength = 25'000'000;
constexpr u64 kInterval = replay::Sequencer::kCheckInterval;

/// What an engine is that leaves something wrong behind an instruction, each time it executes it.
class Faulty final : public Subject {
public:
    Faulty(Subject &sound, u64 instruction, std::function<void(DebugTarget &)> damage)
        : sound_(sound), instruction_(instruction), damage_(std::move(damage)) {}

    Result<Place> run_to_end() override {
        TRY(pass_fault());
        return remember(sound_.run_to_end());
    }
    Result<Place> go_to(u64 position) override {
        const bool passes = position >= instruction_ && (here_ < instruction_ || here_ > position);
        if (passes) TRY(pass_fault());
        return remember(sound_.go_to(position));
    }
    Result<Place> step(u32 cpu) override { return sound_.step(cpu); }
    Result<replay::CheckEntry> look() override { return sound_.look(); }
    Result<replay::ReplayResult> verdict() override { return sound_.verdict(); }
    Result<std::optional<bool>> is_recorded() override { return sound_.is_recorded(); }
    Result<std::vector<Part>> parts() override { return sound_.parts(); }
    Result<GuestMemory *> ram() override { return sound_.ram(); }
    DebugTarget &target() override { return sound_.target(); }
    Result<Start> start_before(u64 position) override { return sound_.start_before(position); }
    Result<> adopt(const Start &start) override { return sound_.adopt(start); }

private:
    Result<> pass_fault() {
        TRY(remember(sound_.go_to(instruction_)));
        damage_(sound_.target());
        return {};
    }
    Result<Place> remember(Result<Place> place) {
        if (place.has_value()) here_ = place->position;
        return place;
    }

    Subject &sound_;
    const u64 instruction_;
    const std::function<void(DebugTarget &)> damage_;
    u64 here_ = 0;
};

class BisectTest : public ::testing::Test {
protected:
    BisectTest() {
        std::ofstream(kernel, std::ios::binary)
            .write(reinterpret_cast<const char *>(kProgram.data()), sizeof kProgram);
        config.kernel = kernel;
        config.memory = 64u << 20;
        config.net.kind = NetConfig::Kind::None;
        config.serial.kind = SerialConfig::Kind::None;
        config.deterministic.emplace();
        config.deterministic->record = recording;
        config.deterministic->stop_at.position = kLength;
        EXPECT_TRUE(Machine::create(config).value()->run().has_value());
        config.deterministic->record.clear();
        config.deterministic->stop_at = {};
        config.deterministic->replay = recording;
    }
    ~BisectTest() override {
        std::filesystem::remove(kernel);
        std::filesystem::remove(recording);
    }
    static std::string temporary(const char *suffix) {
        return (std::filesystem::temp_directory_path() /
                ("bisect-" + std::to_string(::getpid()) + suffix))
            .string();
    }

    struct Searched {
        Finding finding;
        std::string report;
    };
    Searched search(u64 instruction, const std::function<void(DebugTarget &)> &damage) {
        const auto candidate = BisectedMachine::create(config).value();
        const auto reference = BisectedMachine::create(reference_for(config)).value();
        candidate->start([] {});
        reference->start([] {});
        Faulty faulty(candidate->subject(), instruction, damage);
        Searched searched;
        searched.finding = bisect::find_divergence(faulty, reference->subject()).value();
        searched.report = bisect::describe(searched.finding, faulty, reference->subject(),
                                           {.candidate = "bad", .reference = "good"})
                              .value();
        return searched;
    }
    /// Writes the recording anew, with its checks changed.
    template <typename Change>
    void rewrite_checks(Change change) {
        const auto reader = JournalReader::open(recording).value();
        std::filesystem::remove(recording);
        const auto writer =
            JournalWriter::create(recording, reader->manifest(), [](const Error &) {}).value();
        for (unsigned checks = 0;; reader->advance()) {
            replay::Entry entry = reader->next();
            if (auto *check = std::get_if<replay::CheckEntry>(&entry.what)) {
                change(*check, ++checks);
                writer->check(entry.moment, *check);
            } else {
                return writer->end(entry.moment, std::get<replay::EndEntry>(entry.what));
            }
        }
    }

    const std::string kernel = temporary(".kernel"), recording = temporary(".recording");
    MachineConfig config;
};

std::size_t number_of(DebugTarget &target, std::string_view name) {
    std::size_t number = 0;
    while (target.registers().at(number).name != name) ++number;
    return number;
}

TEST_F(BisectTest, AWrongRegisterIsFoundAtItsInstruction) {
    for (const auto kind : {AcceleratorKind::Jit, AcceleratorKind::Interpreter}) {
        config.accelerator = kind;
        for (const u64 wrong : {u64{13'333'333}, kInterval + 1}) {
            const auto [finding, report] = search(wrong, [](DebugTarget &target) {
                const u64 value = 0x1234'5678'9abc'def0;
                static_cast<void>(target.write_register(1, number_of(target, "x25"),
                                                        std::as_bytes(std::span(&value, 1))));
            });
            EXPECT_EQ(finding.kind, Finding::Kind::Found);
            EXPECT_EQ(finding.from, wrong - 1);
            EXPECT_EQ(finding.to, wrong);
            EXPECT_EQ(finding.reference_is_right, true);
            EXPECT_NE(report.find(std::to_string(wrong)), std::string::npos) << report;
            EXPECT_NE(report.find("CPU 1 x25"), std::string::npos) << report;
            EXPECT_NE(report.find("0x0000000000000000                  0x123456789abcdef0"),
                      std::string::npos)
                << report;
            EXPECT_EQ(report.find("page"), std::string::npos) << report;
        }
    }
}

TEST_F(BisectTest, AWrongByteOfMemoryIsFoundAtItsInstruction) {
    const u64 wrong = 11'111'111;
    const auto [finding, report] = search(wrong, [](DebugTarget &target) {
        const std::byte value{0xa5};
        EXPECT_EQ(target.write_memory({}, 0x4300'0123, std::span(&value, 1)), 1u);
    });
    EXPECT_EQ(finding.kind, Finding::Kind::Found);
    EXPECT_EQ(finding.to, wrong);
    EXPECT_NE(report.find("page 0x43000000: 1 bytes differ, the first at 0x43000123"),
              std::string::npos)
        << report;
    EXPECT_NE(report.find("bad        00 00 00 a5"), std::string::npos) << report;
    // The instruction is one of the loop's.
    EXPECT_NE(report.find("  0x000000004"), std::string::npos) << report;
}

TEST_F(BisectTest, AWrongBitAfterTheLastCheckIsFoundByTheEnd) {
    const u64 wrong = 24'000'000;
    const Finding finding =
        search(wrong, [](DebugTarget &target) {
            const std::byte value{1};
            static_cast<void>(target.write_memory({}, 0x4300'0000, std::span(&value, 1)));
        }).finding;
    EXPECT_EQ(finding.kind, Finding::Kind::Found);
    EXPECT_EQ(finding.to, wrong);
    EXPECT_EQ(finding.reference_is_right, std::nullopt);
}

TEST_F(BisectTest, WhatBothMachinesMakeIsOnlyBounded) {
    rewrite_checks([](replay::CheckEntry &check, unsigned number) {
        if (number == 2) check.memory ^= 1;
    });
    const Bisection bisection = bisect_divergence(config).value();
    EXPECT_EQ(bisection.finding.kind, Finding::Kind::Agreed);
    EXPECT_EQ(bisection.finding.from, kInterval);
    EXPECT_EQ(bisection.finding.to, 2 * kInterval);
    EXPECT_NE(bisection.report.find("instructions 10000001 to 20000000"), std::string::npos)
        << bisection.report;
}

TEST_F(BisectTest, ASoundReplayHasNoDivergence) {
    const Bisection bisection = bisect_divergence(config).value();
    EXPECT_EQ(bisection.finding.kind, Finding::Kind::None);
    EXPECT_EQ(bisection.finding.verdict.verdict, replay::Verdict::Finished)
        << bisection.finding.verdict.message;
    EXPECT_EQ(bisection.finding.to, kLength);
}

} // namespace
} // namespace tandem::machine
