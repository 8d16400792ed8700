#include "machine/profile/frame_walker.h"

#include <gmock/gmock.h>

#include <map>
#include <random>

namespace tandem::machine::profile {
namespace {

using ::testing::ElementsAre;

class FakeMemory final : public StackMemory {
public:
    bool read(u64 va, std::span<u64> out) override {
        ++reads;
        for (u64 &word : out) {
            const auto at = words.find(va);
            if (at == words.end()) return false;
            word = at->second;
            va += 8;
        }
        return true;
    }
    void record(u64 at, u64 previous, u64 link) {
        words[at] = previous;
        words[at + 8] = link;
    }

    std::map<u64, u64> words;
    u32 reads = 0;
};

std::vector<u64> frames_of(const Sample &sample) {
    return {sample.frames.begin(), sample.frames.begin() + sample.depth};
}

constexpr u64 kUpper = 0xffff'8000'0000'0000;

TEST(FrameWalker, FollowsTheChain) {
    FakeMemory memory;
    memory.record(0x7000, 0x7100, 0x400100);
    memory.record(0x7100, 0x7200, 0x400200);
    memory.record(0x7200, 0, 0);
    Sample sample;
    walk_stack(memory, {.pc = 0x400000, .link = 0x400104, .frame = 0x7000}, sample);
    EXPECT_THAT(frames_of(sample), ElementsAre(0x400000, 0x400100, 0x400200));
    EXPECT_EQ(sample.kernel_depth, 0u);
    EXPECT_EQ(sample.link, 0x400104u);
}

TEST(FrameWalker, TakesAuthenticationCodesAway) {
    FakeMemory memory;
    constexpr u64 kBits = 0x007f'0000'0000'0000;
    memory.record(0x7000, 0x7100, 0x400100 | 0x0055'0000'0000'0000);
    Sample sample;
    walk_stack(memory, {.pc = 4, .frame = 0x7000, .code_bits = {kBits, kBits}}, sample);
    EXPECT_THAT(frames_of(sample), ElementsAre(4, 0x400100));
    memory.record(kUpper, kUpper + 16, (kUpper + 0x100) & ~u64{0x002a'0000'0000'0000});
    walk_stack(memory,
               {.pc = kUpper, .frame = kUpper, .is_kernel = true, .code_bits = {kBits, kBits}},
               sample);
    EXPECT_THAT(frames_of(sample), ElementsAre(kUpper, kUpper + 0x100));
    EXPECT_EQ(sample.kernel_depth, 2u);
}

/// A kernel stack whose last record is in the saved registers at `registers`.
void save_registers(FakeMemory &memory, u64 registers, u64 pc, u64 pstate) {
    memory.words[registers + 29 * 8] = 0x7000;
    memory.words[registers + 30 * 8] = 0x400104;
    memory.words[registers + 31 * 8] = 0x6ff0;
    memory.words[registers + 32 * 8] = pc;
    memory.words[registers + 33 * 8] = pstate;
    memory.record(registers + 38 * 8, 0, 0);
    memory.record(kUpper, registers + 38 * 8, kUpper + 0x100);
    memory.record(0x7000, 0, 0x400200);
}

TEST(FrameWalker, FindsTheUserBelowTheKernel) {
    FakeMemory memory;
    save_registers(memory, kUpper + 0x1000, 0x400000, 0x6000'1000);
    Sample sample;
    const StackStart start{.pc = kUpper + 4, .frame = kUpper, .is_kernel = true};
    walk_stack(memory, start, sample);
    EXPECT_THAT(frames_of(sample), ElementsAre(kUpper + 4, kUpper + 0x100, 0x400000, 0x400200));
    EXPECT_EQ(sample.kernel_depth, 2u);
    // What was interrupted is the kernel itself, or nothing like a program.
    for (const auto &[pc, pstate] : {std::pair<u64, u64>{0x400000, 0x5},
                                     {kUpper, 0},
                                     {0x400002, 0},
                                     {0, 0},
                                     {0x400000, u64{1} << 40}}) {
        save_registers(memory, kUpper + 0x1000, pc, pstate);
        walk_stack(memory, start, sample);
        EXPECT_THAT(frames_of(sample), ElementsAre(kUpper + 4, kUpper + 0x100));
    }
}

TEST(FrameWalker, EndsWhereAChainMakesNoSense) {
    FakeMemory memory;
    memory.record(0x7000, 0x7000, 0x400100);         // itself
    memory.record(0x7100, 0x7010, 0x400100);         // back down
    memory.record(0x7200, 0x7300, 0x400102);         // no instruction
    memory.record(0x7300, 0x7400, kUpper);           // a kernel's
    memory.record(0x7400, 0x123456789000, 0x400100); // into nowhere
    Sample sample;
    const std::pair<u64, u32> depths[] = {{0x7000, 2}, {0x7100, 2}, {0x7200, 1},
                                          {0x7300, 1}, {0x7400, 2}, {0x7404, 1},
                                          {0x7401, 1}, {0, 1},      {~u64{7}, 1}};
    for (const auto &[frame, depth] : depths) {
        walk_stack(memory, {.pc = 0x400000, .frame = frame}, sample);
        EXPECT_EQ(sample.depth, depth) << std::hex << frame;
    }
}

TEST(FrameWalker, IsBounded) {
    FakeMemory memory;
    for (u64 at = 0x7000; at < 0x70000; at += 16) memory.record(at, at + 16, 0x400100);
    Sample sample;
    walk_stack(memory, {.pc = 0x400000, .frame = 0x7000}, sample);
    EXPECT_EQ(sample.depth, Sample::kMaxFrames);
    // A kernel may change stacks, but not for ever.
    memory.record(kUpper, kUpper + 0x100, kUpper + 4);
    memory.record(kUpper + 0x100, kUpper, kUpper + 8);
    memory.reads = 0;
    walk_stack(memory, {.pc = kUpper, .frame = kUpper, .is_kernel = true}, sample);
    EXPECT_LT(memory.reads, 16u);
}

TEST(FrameWalker, SurvivesAnything) {
    std::mt19937_64 random(1);
    FakeMemory memory;
    for (u64 at = 0x7000; at < 0x8000; at += 8)
        memory.words[at] = random() % 2 != 0 ? 0x7000 + random() % 0x1000 : random();
    for (u64 at = 0; at < 0x1000; at += 8)
        memory.words[kUpper + at] =
            kUpper + (random() % 3 != 0 ? random() % 0x1000 & ~7ull : random());
    for (int i = 0; i < 20'000; ++i) {
        Sample sample;
        const bool is_kernel = random() % 2 != 0;
        walk_stack(memory,
                   {.pc = random(),
                    .link = random(),
                    .frame = (is_kernel ? kUpper : 0x7000) + random() % 0x1000,
                    .is_kernel = is_kernel,
                    .code_bits = {random(), random()}},
                   sample);
        ASSERT_GE(sample.depth, 1u);
        ASSERT_LE(sample.depth, Sample::kMaxFrames);
        ASSERT_LE(sample.kernel_depth, sample.depth);
    }
}

} // namespace
} // namespace tandem::machine::profile
