/// A machine of two CPUs goes back to many moments of its recording, and on from there.
#include "machine/reverse/checkpoints.h"

#include "machine/replay/testing/recorded_machine.h"

#include <random>

namespace tandem::machine::reverse {
namespace {

using replay::RunEnd;
using replay::Session;
using replay::Verdict;

/// Two CPUs count, with exclusives and in many pages; the first echoes what is typed, up to a q.
constexpr std::array<u32, 42> kProgram{
    0xd2a8'4013, // mov x19, #0x42000000
    0x5280'0060, // mov w0, #3
    0x72b8'8000, // movk w0, #0xc400, lsl #16
    0xd280'0021, // mov x1, #1
    0x1000'0242, // adr x2, second
    0xd280'0003, // mov x3, #0
    0xd400'0002, // hvc #0
    0xd2a1'2001, // mov x1, #0x09000000
    0x5280'6022, // mov w2, #0x301
    0xb900'3022, // str w2, [x1, #0x30]
    0xd280'0014, // 1: mov x20, #0
    0x9400'0010, // bl count
    0xb940'1822, // ldr w2, [x1, #0x18]
    0x3727'ffa2, // tbnz w2, #4, 1b
    0xb940'0023, // ldr w3, [x1]
    0xb900'0023, // str w3, [x1]
    0xf900'2263, // str x3, [x19, #64]
    0x7101'c47f, // cmp w3, #'q'
    0x54ff'ff01, // b.ne 1b
    0x5280'0100, // mov w0, #0x0008
    0x72b0'8000, // movk w0, #0x8400, lsl #16
    0xd400'0002, // hvc #0
    0xd2a8'4013, // second: mov x19, #0x42000000
    0xd2a0'0814, // 2: mov x20, #0x400000
    0x9400'0003, // bl count
    0xd503'205f, // wfe
    0x17ff'fffd, // b 2b
    0xd28e'a609, // count: mov x9, #30000
    0xc85f'7e6a, // 3: ldxr x10, [x19]
    0x9100'054a, // add x10, x10, #1
    0xc80b'7e6a, // stxr w11, x10, [x19]
    0x35ff'ffab, // cbnz w11, 3b
    0xd343'2d4c, // ubfx x12, x10, #3, #9
    0x8b0c'328c, // add x12, x20, x12, lsl #12
    0x9140'058c, // add x12, x12, #0x1000
    0xf86c'6a6d, // ldr x13, [x19, x12]
    0xcacd'1d4d, // eor x13, x10, x13, ror #7
    0xf82c'6a6d, // str x13, [x19, x12]
    0xf100'0529, // subs x9, x9, #1
    0x54ff'fea1, // b.ne 3b
    0xd503'209f, // sev
    0xd65f'03c0, // ret
};
const std::string kTyped = "what is typed here takes the machine a little time q";

class ReverseTest : public replay::testing::RecordedMachine {
protected:
    ReverseTest() : RecordedMachine(kProgram) {
        config.memory = 64u << 20;
        config.cpus = 2;
        static_cast<void>(record(kTyped));
    }

    /// Replays; `passed` is called each time the machine has executed as many instructions as it
    /// asked for last.
    template <typename Passed>
    Ran replay_with_checkpoints(u64 max_bytes, Passed passed) {
        std::unique_ptr<Checkpoints> checkpoints;
        return run("", [&](Session &session) {
            session.replay(replay::JournalReader::open(recording).value());
            session.on_mark([&, passed, max_bytes] {
                if (checkpoints == nullptr) {
                    checkpoints = std::make_unique<Checkpoints>(
                        session, std::span<OverlayDisk *const>(), max_bytes);
                    checkpoints->set_board(session.board());
                }
                session.set_mark(passed(session, *checkpoints));
            });
            session.set_mark(0);
        });
    }
    /// By all of memory, and by what was written since the last time.
    static std::pair<u64, replay::CheckEntry> hash(Session &session) {
        return {session.board().state_hash(), session.look()};
    }

    std::mt19937_64 random{7};
};

TEST_F(ReverseTest, WhatFollowsACheckpointIsWhatFollowed) {
    // Marks at random; a straight run hashes at each.
    std::vector<u64> marks{0};
    while (marks.back() < 20'000'000) marks.push_back(marks.back() + 1 + random() % 1'500'000);
    for (const auto kind : {AcceleratorKind::Jit, AcceleratorKind::Interpreter}) {
        config.accelerator = kind;
        std::vector<std::pair<u64, replay::CheckEntry>> hashes;
        std::vector<std::size_t> tour;
        std::size_t next = 0;
        unsigned compared = 0;
        const Ran ran = replay_with_checkpoints(~u64{0}, [&](Session &session, Checkpoints &kept) {
            EXPECT_EQ(session.position(), marks[next]);
            if (hashes.size() < marks.size()) {
                hashes.push_back(hash(session));
                EXPECT_TRUE(kept.take().has_value());
                if (++next < marks.size()) return marks[next];
                // Then back to each: in any order, and backwards.
                for (std::size_t i = 0; i + 1 < marks.size(); ++i) tour.push_back(i);
                std::ranges::shuffle(tour, random);
                for (std::size_t i = 0; i + 1 < marks.size(); ++i) tour.push_back(i);
            } else {
                EXPECT_EQ(hash(session), hashes[next]) << "at " << marks[next];
                ++compared;
            }
            if (tour.empty()) return Session::kNever;
            const std::size_t from = tour.back();
            tour.pop_back();
            EXPECT_TRUE(kept.bring_back(marks[from]).has_value());
            EXPECT_EQ(session.position(), marks[from]);
            EXPECT_EQ(hash(session), hashes[from]) << "back at " << marks[from];
            next = from + 1;
            return marks[next];
        });
        EXPECT_EQ(compared, 2 * (marks.size() - 1));
        EXPECT_EQ(ran.result.verdict, Verdict::Finished) << ran.result.message;
        EXPECT_EQ(ran.output, kTyped);
    }
}

TEST_F(ReverseTest, CheckpointsShareWhatIsTheSame) {
    u64 most = 0;
    std::size_t count = 0;
    static_cast<void>(replay_with_checkpoints(~u64{0}, [&](Session &session, Checkpoints &kept) {
        EXPECT_TRUE(kept.take().has_value());
        most = kept.bytes();
        count = kept.count();
        // A few instructions write a few pages.
        return count < 200 ? session.position() + 100 : Session::kNever;
    }));
    EXPECT_EQ(count, 200u);
    EXPECT_LT(most, 16u << 20);
}

TEST_F(ReverseTest, MemoryIsBounded) {
    static constexpr u64 kMost = 8u << 20;
    std::vector<u64> taken;
    static_cast<void>(replay_with_checkpoints(kMost, [&](Session &session, Checkpoints &kept) {
        EXPECT_TRUE(kept.take().has_value());
        EXPECT_TRUE(kept.bytes() <= kMost || kept.count() <= 2) << kept.bytes();
        taken.push_back(session.position());
        EXPECT_EQ(kept.first(), 0u);
        EXPECT_EQ(kept.last_before(taken.back()), taken.back());
        if (taken.size() < 60) return session.position() + 300'000;
        EXPECT_LT(kept.count(), taken.size());
        return Session::kNever;
    }));
    EXPECT_EQ(taken.size(), 60u);
}

} // namespace
} // namespace tandem::machine::reverse
