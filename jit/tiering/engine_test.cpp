#include "jit/tiering/engine.h"

#include "jit/tiering/toy_machine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <thread>

namespace tandem::jit {
namespace {

using test::FakeBus;
using test::FakeMmu;
using test::kHelpers;
using test::Toy;
using test::ToyFrontend;
using test::ToyInstruction;
using test::ToyState;
using enum test::HelperId;

/// Every test runs with T0 alone, with T1 after a few runs, with T1 at once, and with T2 at once.
class EngineTest : public testing::TestWithParam<int> {
protected:
    EngineTest() { make({}); }
    void make(EngineOptions options) {
        for (ToyState &s : cpus_)
            if (s.memory != nullptr) engine_->detach(s);
        options.compile = GetParam() != 0;
        options.compile_threshold = GetParam() == 1 ? 3 : 0;
        options.verify = true;
        if (GetParam() == 3) {
            options.optimise = Optimise::Always;
            options.region_compiler = TANDEM_LLVM_MODULE;
        }
        engine_ = std::move(Engine::create(frontend_, mmu_, bus_, options)).value();
        for (ToyState &s : cpus_) {
            s.engine = engine_.get();
            s.mmu = &mmu_;
            engine_->attach(s);
        }
    }
    ~EngineTest() override {
        for (ToyState &s : cpus_) engine_->detach(s);
    }
    void program(u64 at, std::initializer_list<ToyInstruction> code) {
        for (const ToyInstruction &in : code) {
            bus_.poke(at, in);
            at += 4;
        }
    }
    /// From `pc` until Halt; returns the number of instructions.
    u64 run(u64 pc, unsigned cpu = 0) {
        ToyState &s = cpus_[cpu];
        s.pc = pc;
        const u64 before = s.retired;
        EXPECT_EQ(engine_->run(s, 100'000'000), ExitReason::Halt);
        return s.retired - before;
    }
    ToyState &cpu() { return cpus_[0]; }
    static u64 encode(ToyInstruction in) { return std::bit_cast<u32>(in); }

    FakeBus bus_;
    FakeMmu mmu_;
    ToyFrontend frontend_{kHelpers};
    std::unique_ptr<Engine> engine_;
    std::array<ToyState, 2> cpus_;
};
INSTANTIATE_TEST_SUITE_P(Tiers, EngineTest, testing::Values(0, 1, 2, 3));

TEST_P(EngineTest, CountsEveryInstruction) {
    program(0x1000,
            {{Toy::Add, 1, 1}, {Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -2}, {Toy::Halt}});
    cpu().gpr[0] = 10'000;
    EXPECT_EQ(run(0x1000), 30'001u);
    EXPECT_EQ(cpu().gpr[1], 10'000u);
    EXPECT_EQ(cpu().pc, 0x1010u);
}

TEST_P(EngineTest, StopsExactlyAnywhere) {
    program(0x1000, {{Toy::Add, 1, 1},
                     {Toy::Add, 2, 1},
                     {Toy::Add, 3, 1},
                     {Toy::Add, 4, 1},
                     {Toy::Branch, 0, -4}});
    cpu().pc = 0x1000;
    u64 total = 0;
    for (i64 budget = 1; budget < 400; budget += 1 + budget / 16) {
        ASSERT_EQ(engine_->run(cpu(), budget), ExitReason::BudgetUsed);
        total += static_cast<u64>(budget);
        ASSERT_EQ(cpu().retired, total);
        ASSERT_EQ(cpu().pc, 0x1000 + total % 5 * 4);
        ASSERT_EQ(cpu().gpr[4], (total + 1) / 5);
    }
    ASSERT_EQ(engine_->run(cpu(), 1'000'000, StopAt::Nearly), ExitReason::BudgetUsed);
    EXPECT_LE(cpu().retired - total, 1'000'000u);
    EXPECT_GT(cpu().retired - total, 1'000'000u - ir::kMaxBlockInstructions);
    EXPECT_EQ(cpu().pc, 0x1000 + cpu().retired % 5 * 4);
}

TEST_P(EngineTest, ExceptionsCountTheFaultingInstruction) {
    program(0x1000, {{Toy::Add, 1, 1}, {Toy::Load, 2, 3}, {Toy::Add, 1, 1}, {Toy::Halt}});
    program(FakeMmu::kHandler, {{Toy::Add, 5, 1}, {Toy::Halt}});
    cpu().gpr[2] = 0x4000'0000; // nothing there
    for (u64 i = 1; i < 10; ++i) {
        EXPECT_EQ(run(0x1000), 4u);
        EXPECT_EQ(mmu_.fault_pc, 0x1004u);
        EXPECT_EQ(cpu().gpr[1], i);
        EXPECT_EQ(cpu().gpr[5], i);
    }
    // So does a fetch that faults.
    EXPECT_EQ(run(0x4000'0000), 3u);
}

TEST_P(EngineTest, BranchesAcrossPages) {
    program(0x1ffc, {{Toy::Add, 1, 1}});
    program(0x2000, {{Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -2}, {Toy::Halt}});
    cpu().gpr[0] = 5000;
    EXPECT_EQ(run(0x1ffc), 15'001u);
    EXPECT_EQ(cpu().gpr[1], 5000u);
}

TEST_P(EngineTest, IndirectBranches) {
    program(0x1000, {{Toy::Add, 1, 1}, {Toy::BranchTo, 2}});
    program(0x5000,
            {{Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, 2}, {Toy::Halt}, {Toy::BranchTo, 3}});
    cpu().gpr[0] = 5000;
    cpu().gpr[2] = 0x5000;
    cpu().gpr[3] = 0x1000;
    EXPECT_EQ(run(0x1000), 5000 * 5u);
    EXPECT_EQ(cpu().gpr[1], 5000u);
}

TEST_P(EngineTest, TagsInBranchTargetsAreDropped) {
    mmu_.ignores_tags = true;
    program(0x1000, {{Toy::Add, 1, 1}, {Toy::BranchTo, 2}});
    program(0x5000,
            {{Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, 2}, {Toy::Halt}, {Toy::BranchTo, 3}});
    cpu().gpr[0] = 100;
    cpu().gpr[2] = 0x5a00'0000'0000'5000;
    cpu().gpr[3] = 0x1000;
    EXPECT_EQ(run(0x1000), 100 * 5u);
    EXPECT_EQ(cpu().gpr[1], 100u);
    EXPECT_EQ(cpu().pc, 0x500cu);
    // Also where the budget ends right after the branch, for whoever looks at the address then.
    cpu().pc = 0x1000;
    EXPECT_EQ(engine_->run(cpu(), 2), ExitReason::BudgetUsed);
    EXPECT_EQ(cpu().pc, 0x5000u);
    mmu_.ignores_tags = false;
    cpu().pc = 0x1000;
    EXPECT_EQ(engine_->run(cpu(), 2), ExitReason::BudgetUsed);
    EXPECT_EQ(cpu().pc, 0x5a00'0000'0000'5000u);
}

TEST_P(EngineTest, CodeWrittenByAnotherBlockIsRetranslated) {
    // 0x1000: call 0x1800, patch its immediate, again.
    program(0x1000, {{Toy::BranchTo, 2}});
    program(0x1004, {{Toy::Store32, 4, 5},
                     {Toy::Add, 5, 1},
                     {Toy::Add, 0, -1},
                     {Toy::BranchNonZero, 0, -4},
                     {Toy::Halt}});
    program(0x1800, {{Toy::Add, 1, 0}, {Toy::BranchTo, 3}});
    u64 immediate = 0;
    static_assert(sizeof(ToyInstruction::imm) == 2);
    cpu().gpr[0] = 100;
    cpu().gpr[2] = 0x1800;
    cpu().gpr[3] = 0x1004;
    cpu().gpr[4] = 0x1802; // the immediate, and the two bytes after it
    bus_.poke<u16>(0x1804, 0);
    program(0x1804, {{Toy::BranchTo, 3}});
    // Storing 32 bits at 0x1802 rewrites the immediate and the start of the next instruction.
    const u64 tail = encode({Toy::BranchTo, 3}) << 16;
    cpu().gpr[5] = tail | 1;
    run(0x1000);
    for (u64 i = 0; i < 100; ++i) immediate += i;
    EXPECT_EQ(cpu().gpr[1], immediate);
    EXPECT_GE(engine_->statistics().invalidated_blocks, 90u);
}

TEST_P(EngineTest, CodeThatRewritesTheRunningBlock) {
    // The instruction after the store is what was stored, from the first time on.
    program(0x1000, {{Toy::Add, 2, 1},
                     {Toy::StorePair, 4, 6}, // x6, x7 hold four instructions
                     {Toy::Add, 1, 100},
                     {Toy::Add, 1, 100},
                     {Toy::Add, 1, 100},
                     {Toy::Add, 1, 100},
                     {Toy::Add, 4, -16},
                     {Toy::Add, 0, -1},
                     {Toy::BranchNonZero, 0, -8},
                     {Toy::Halt}});
    const u64 two = encode({Toy::Add, 1, 1}) | encode({Toy::Add, 1, 2}) << 32;
    cpu().gpr[0] = 50;
    cpu().gpr[4] = 0x1008;
    cpu().gpr[6] = cpu().gpr[7] = two;
    EXPECT_EQ(run(0x1000), 50 * 9 + 1u);
    EXPECT_EQ(cpu().gpr[1], 50 * 6u);
    EXPECT_EQ(cpu().gpr[2], 50u);
    EXPECT_GE(engine_->statistics().store_replays, 1u);
}

TEST_P(EngineTest, StoresNextToCodeInvalidateNothing) {
    program(0x1000,
            {{Toy::Store, 4, 5}, {Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -2}, {Toy::Halt}});
    cpu().gpr[4] = 0x1010;
    cpu().gpr[5] = 77;
    cpu().gpr[0] = 100;
    EXPECT_EQ(run(0x1000), 301u);
    EXPECT_EQ(bus_.peek<u64>(0x1010), 77u);
    EXPECT_EQ(engine_->statistics().invalidated_blocks, 0u);
    EXPECT_EQ(engine_->statistics().store_replays, 0u);
}

TEST_P(EngineTest, DmaIntoCode) {
    program(0x1000, {{Toy::Add, 1, 1}, {Toy::Halt}});
    for (int i = 0; i < 10; ++i) run(0x1000);
    program(0x1000, {{Toy::Add, 1, 100}});
    engine_->invalidate_physical(0x0ff0, 0x20);
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 110u);
    engine_->invalidate_physical(0, FakeBus::kRamSize);
    EXPECT_EQ(engine_->statistics().invalidated_blocks, 0u); // DMA's are nobody's
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 210u);
}

TEST_P(EngineTest, LinksAreUndoneWhenTheTargetChanges) {
    // Two blocks linked to each other; the second one is rewritten from outside.
    program(0x1000, {{Toy::Add, 1, 1}, {Toy::Branch, 0, 15}});
    program(0x1040, {{Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -17}, {Toy::Halt}});
    cpu().gpr[0] = 1000;
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 1000u);
    program(0x1040, {{Toy::Add, 0, -2}});
    engine_->invalidate_physical(0x1040, 4);
    cpu().gpr[0] = 1000;
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 1500u);
}

/// Two blocks that branch to each other across a page boundary, at 0x10ff8 and 0x11008.
class CrossingTest : public EngineTest {
protected:
    static constexpr u64 kVirtual = 0x10000, kPhysical = 0x20000;

    void map(u64 va, u64 physical, u8 size_log2) {
        ir::PageMapping mapping = FakeMmu::ram(physical);
        mapping.size_log2 = size_log2;
        mmu_.map(0, va, mapping);
    }
    void map_both(u8 size_log2) {
        map(kVirtual, kPhysical, size_log2);
        map(kVirtual + 0x1000, kPhysical + 0x1000, size_log2);
    }
    void load_loop() {
        program(kPhysical + 0xff8, {{Toy::Add, 1, 1}, {Toy::Branch, 0, 3}});
        program(kPhysical + 0x1008, {{Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -5}, {Toy::Halt}});
    }
    u64 loop(u64 count) {
        cpu().gpr[0] = count;
        cpu().gpr[1] = 0;
        return run(kVirtual + 0xff8);
    }
};
INSTANTIATE_TEST_SUITE_P(Tiers, CrossingTest, testing::Values(0, 1, 2, 3));

TEST_P(CrossingTest, LinksCrossPagesOfOneMapping) {
    load_loop();
    map_both(16);
    EXPECT_EQ(loop(10'000), 40'001u);
    EXPECT_EQ(cpu().gpr[1], 10'000u);
    EXPECT_EQ(cpu().pc, kVirtual + 0x1014);
    // When the first run of Halt is in T1 already, there is a third one.
    if (GetParam() == 1) {
        EXPECT_EQ(engine_->statistics().links, 2u);
    }
    if (GetParam() == 2) {
        EXPECT_EQ(engine_->statistics().links, 3u);
    }
}

TEST_P(CrossingTest, LinksDoNotLeaveAMapping) {
    load_loop();
    map_both(12);
    EXPECT_EQ(loop(10'000), 40'001u);
    EXPECT_EQ(cpu().gpr[1], 10'000u);
    // To Halt, which is on the page it is reached from.
    EXPECT_LE(engine_->statistics().links, 1u);
}

TEST_P(CrossingTest, SmallerMappingsUndoLinks) {
    load_loop();
    map_both(16);
    loop(100);
    // The second page goes elsewhere: what was one mapping is now two.
    map_both(12);
    map(kVirtual + 0x1000, 0x30000, 12);
    program(0x30008, {{Toy::Add, 0, -2}, {Toy::BranchNonZero, 0, -5}, {Toy::Halt}});
    engine_->tlb_control().invalidate(
        cpu(), {.scope = ir::TlbInvalidation::Scope::Range, .asid = 0, .va = kVirtual + 0x1000});
    loop(100);
    EXPECT_EQ(cpu().gpr[1], 50u);
}

TEST_P(CrossingTest, BudgetsEndAtCrossings) {
    load_loop();
    map_both(16);
    loop(100);
    for (u64 budget = 1; budget < 300; ++budget) {
        cpu().gpr[0] = 100'000;
        cpu().gpr[1] = 0;
        cpu().pc = kVirtual + 0xff8;
        const u64 before = cpu().retired;
        ASSERT_EQ(engine_->run(cpu(), static_cast<i64>(budget)), ExitReason::BudgetUsed);
        ASSERT_EQ(cpu().retired - before, budget);
        ASSERT_EQ(cpu().gpr[1], (budget + 3) / 4);
        constexpr std::array<u64, 4> kNext{0xff8, 0xffc, 0x1008, 0x100c};
        ASSERT_EQ(cpu().pc, kVirtual + kNext[budget % 4]);
    }
}

TEST_P(EngineTest, RemappingChangesWhatRuns) {
    mmu_.map(0, 0x10000, FakeMmu::ram(0x20000));
    program(0x20000, {{Toy::Add, 1, 1}, {Toy::BranchTo, 3}});
    program(0x30000, {{Toy::Add, 1, 1000}, {Toy::BranchTo, 3}});
    program(0x1000,
            {{Toy::BranchTo, 2}, {Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -2}, {Toy::Halt}});
    cpu().gpr[2] = 0x10000;
    cpu().gpr[3] = 0x1004;
    cpu().gpr[0] = 20;
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 20u);
    mmu_.map(0, 0x10000, FakeMmu::ram(0x30000));
    engine_->tlb_control().invalidate(
        cpu(), {.scope = ir::TlbInvalidation::Scope::Range, .asid = 0, .va = 0x10000});
    cpu().gpr[0] = 20;
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 20'020u);
}

TEST_P(EngineTest, AddressSpacesRunTheirOwnCode) {
    for (u16 asid = 1; asid <= 2; ++asid) {
        const u64 at = 0x20000ull + asid * 0x1000ull;
        mmu_.map(asid, 0x10000, FakeMmu::ram(at));
        program(at, {{Toy::Add, 1, static_cast<i16>(asid == 1 ? 1 : 1000)}, {Toy::BranchTo, 3}});
    }
    program(0x1000, {{Toy::Barrier, 4, kSwitch},
                     {Toy::BranchTo, 2},
                     {Toy::Barrier, 5, kSwitch}, // 0x1008
                     {Toy::Add, 3, 12},
                     {Toy::BranchTo, 2},
                     {Toy::Add, 3, -12}, // 0x1014
                     {Toy::Add, 0, -1},
                     {Toy::BranchNonZero, 0, -7},
                     {Toy::Halt}});
    cpu().gpr[2] = 0x10000;
    cpu().gpr[3] = 0x1008;
    cpu().gpr[4] = 1;
    cpu().gpr[5] = 2;
    cpu().gpr[0] = 50;
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 50 * 1001u);
}

TEST_P(EngineTest, KickLeavesAnEndlessLoop) {
    program(0x1000, {{Toy::Branch, 0, 0}});
    cpu().pc = 0x1000;
    std::thread kicker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        Engine::kick(cpu());
    });
    EXPECT_EQ(engine_->run(cpu(), INT64_MAX), ExitReason::Kicked);
    kicker.join();
    EXPECT_EQ(cpu().pc, 0x1000u);
    Engine::kick(cpu());
    EXPECT_EQ(engine_->run(cpu(), INT64_MAX), ExitReason::Kicked);
    EXPECT_EQ(engine_->run(cpu(), 10), ExitReason::BudgetUsed);
}

TEST_P(EngineTest, EvictionKeepsRunning) {
    EngineOptions options;
    options.code_cache_size = 4 << 20;
    options.block_memory = 64 << 10;
    make(options);
    // A long chain of small blocks, run repeatedly: far more than the memory allows.
    constexpr u64 kBlocks = 1000;
    for (u64 i = 0; i < kBlocks; ++i)
        program(0x4000 + i * 16, {{Toy::Add, 1, 1}, {Toy::Branch, 0, 3}});
    program(0x4000 + kBlocks * 16,
            {{Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, 2}, {Toy::Halt}, {Toy::BranchTo, 2}});
    cpu().gpr[2] = 0x4000;
    cpu().gpr[0] = 20;
    EXPECT_EQ(run(0x4000), 20 * (2 * kBlocks + 3));
    EXPECT_EQ(cpu().gpr[1], 20 * kBlocks);
    EXPECT_GE(engine_->statistics().cache_flushes, 1u);
}

TEST_P(EngineTest, TwoCpusInvalidateEachOthersPages) {
    // Each CPU in turn remaps a page of its own and stores through it; after the barrier no store
    // of the other may land in the old page. The page tables are changed from the host.
    program(0x1000, {{Toy::Store, 4, 5},
                     {Toy::Add, 5, 1},
                     {Toy::Add, 0, -1},
                     {Toy::BranchNonZero, 0, -3},
                     {Toy::Halt}});
    mmu_.map(0, 0x50000, FakeMmu::ram(0x60000));
    std::atomic<bool> done = false;
    std::thread writer([&] {
        ToyState &s = cpus_[1];
        s.gpr[4] = 0x50000;
        while (!done) {
            s.gpr[0] = 1'000'000;
            s.pc = 0x1000;
            EXPECT_EQ(engine_->run(s, 100'000'000), ExitReason::Halt);
        }
    });
    for (u64 i = 0; i < 200; ++i) {
        const u64 old = i % 2 == 0 ? 0x60000 : 0x61000;
        mmu_.map(0, 0x50000, FakeMmu::ram(old ^ 0x1000));
        auto &control = engine_->tlb_control();
        control.invalidate(
            cpu(),
            {.scope = ir::TlbInvalidation::Scope::RangeGlobal, .broadcast = true, .va = 0x50000});
        control.complete(cpu());
        bus_.poke<u64>(old, ~u64{0});
        for (int spin = 0; spin < 2000; ++spin)
            ASSERT_EQ(
                __atomic_load_n(&static_cast<const volatile u64 &>(*reinterpret_cast<u64 *>([&] {
                    bool w;
                    return bus_.page(old, w);
                }())),
                                __ATOMIC_RELAXED),
                ~u64{0});
    }
    done = true;
    writer.join();
}

TEST_P(EngineTest, OneCpuRewritesCodeTheOtherRuns) {
    // CPU 1 runs a loop whose body CPU 0's stores keep changing; both end with the last version.
    program(0x1000, {{Toy::Add, 1, 0}, {Toy::BranchNonZero, 0, -1}, {Toy::Halt}});
    program(0x2000,
            {{Toy::Store32, 4, 5}, {Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -2}, {Toy::Halt}});
    cpus_[1].gpr[0] = 1;
    cpus_[1].pc = 0x1000;
    std::thread other([&] { EXPECT_EQ(engine_->run(cpus_[1], INT64_MAX), ExitReason::Halt); });
    cpu().gpr[4] = 0x1000;
    for (i16 i = 1; i < 300; ++i) {
        cpu().gpr[0] = 20;
        cpu().gpr[5] = encode({Toy::Add, 1, i});
        run(0x2000);
    }
    // Now end the loop: its branch becomes Halt.
    cpu().gpr[0] = 1;
    cpu().gpr[4] = 0x1004;
    cpu().gpr[5] = encode({Toy::Halt});
    run(0x2000);
    other.join();
    EXPECT_EQ(cpus_[1].pc, 0x1008u);
}

TEST_P(EngineTest, StoresUnderWayAreMadeBeforeTheirPageIsTranslated) {
    // CPU 1 counts in the page that CPU 0 then runs code of, without a look at the code map: its
    // store may be on the way when the code is read.
    program(0x1000, {{Toy::Add, 1, 7}, {Toy::Halt}});
    program(0x2000, {{Toy::Store, 4, 5}, {Toy::Add, 5, 1}, {Toy::BranchNonZero, 5, -2}});
    cpus_[1].gpr[4] = 0x1800;
    cpus_[1].gpr[5] = 1;
    cpus_[1].pc = 0x2000;
    std::thread other([&] { EXPECT_EQ(engine_->run(cpus_[1], INT64_MAX), ExitReason::Kicked); });
    bool writable = false;
    auto &counter = *reinterpret_cast<u64 *>(bus_.page(0x1000, writable) + 0x800);
    while (std::atomic_ref(counter).load() < 1000) {
    }
    run(0x1000);
    EXPECT_EQ(cpu().gpr[1], 7u);
    Engine::kick(cpus_[1]);
    other.join();
    EXPECT_GE(engine_->statistics().store_waits, 1u);
}

TEST_P(EngineTest, InterruptHookRunsBetweenBlocks) {
    EngineOptions options;
    options.poll_interrupts = [](ir::ExecContext &ctx) {
        ctx.interrupt_lines = 0;
        ctx.pc = FakeMmu::kHandler;
        ctx.pending_exit = ir::PendingExit::Resume;
    };
    make(options);
    program(0x1000, {{Toy::Branch, 0, 0}});
    program(FakeMmu::kHandler, {{Toy::Halt}});
    cpu().pc = 0x1000;
    std::thread device([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        cpu().interrupt_lines = 1;
    });
    EXPECT_EQ(engine_->run(cpu(), INT64_MAX), ExitReason::Halt);
    device.join();
    EXPECT_EQ(cpu().pc, FakeMmu::kHandler + 4);
    EXPECT_FALSE(engine_->statistics_report().empty());
}

/// A loop at 0x1000 that calls 0x1040 and stores at x4.
class DebuggerTest : public EngineTest {
protected:
    void SetUp() override {
        program(0x1000, {{Toy::Add, 1, 1},
                         {Toy::Store, 4, 1},
                         {Toy::Add, 2, 1},
                         {Toy::Branch, 0, 13}}); // to 0x1040
        program(0x1040,
                {{Toy::Load, 4, 3}, {Toy::Add, 0, -1}, {Toy::BranchNonZero, 0, -18}, {Toy::Halt}});
        cpu().gpr[0] = 1000;
        cpu().gpr[4] = 0x4010;
        cpu().pc = 0x1000;
    }
    ExitReason resume() { return engine_->run(cpu(), 100'000'000); }
    /// Past the breakpoint or watchpoint that the CPU stands at.
    void step_over() {
        ASSERT_EQ(engine_->run(cpu(), 1, StopAt::Exactly, {.passes_points = true}),
                  ExitReason::BudgetUsed);
    }
    static constexpr u64 kPerTurn = 7;
};
INSTANTIATE_TEST_SUITE_P(Tiers, DebuggerTest, testing::Values(0, 1, 2, 3));

TEST_P(DebuggerTest, BreakpointsStopBeforeTheirInstruction) {
    ASSERT_EQ(engine_->run(cpu(), 500 * kPerTurn), ExitReason::BudgetUsed); // all is translated
    const std::array<u64, 2> breakpoints{0x1008, 0x1044};
    engine_->set_breakpoints(breakpoints);
    const u64 before = cpu().retired;
    for (u64 turn = 0; turn < 50; ++turn) {
        ASSERT_EQ(resume(), ExitReason::Breakpoint);
        ASSERT_EQ(cpu().pc, 0x1008u);
        ASSERT_EQ(cpu().retired - before, turn * kPerTurn + 2);
        ASSERT_EQ(resume(), ExitReason::Breakpoint); // until something runs the instruction
        ASSERT_EQ(cpu().retired - before, turn * kPerTurn + 2);
        step_over();
        ASSERT_EQ(resume(), ExitReason::Breakpoint);
        ASSERT_EQ(cpu().pc, 0x1044u);
        ASSERT_EQ(cpu().retired - before, turn * kPerTurn + 5);
        step_over();
    }
    engine_->set_breakpoints({});
    ASSERT_EQ(resume(), ExitReason::Halt);
    EXPECT_EQ(cpu().retired, 1000 * kPerTurn + 1);
    EXPECT_EQ(cpu().gpr[2], 1000u);
}

TEST_P(DebuggerTest, BreakpointsDoNotChangeCounts) {
    const std::array<u64, 1> breakpoints{0x2000}; // not reached, but on no other page either
    engine_->set_breakpoints(breakpoints);
    ASSERT_EQ(resume(), ExitReason::Halt);
    EXPECT_EQ(cpu().retired, 1000 * kPerTurn + 1);
    // Code that is loaded later: the breakpoint is found when it is first executed.
    program(0x2000, {{Toy::Add, 9, 1}, {Toy::Halt}});
    cpu().pc = 0x2000;
    EXPECT_EQ(resume(), ExitReason::Breakpoint);
    EXPECT_EQ(cpu().gpr[9], 0u);
}

TEST_P(DebuggerTest, WatchpointsStopBeforeTheirAccess) {
    ASSERT_EQ(engine_->run(cpu(), 500 * kPerTurn), ExitReason::BudgetUsed);
    const u64 before = cpu().retired;
    const std::array<Watchpoint, 2> watchpoints{
        Watchpoint{.va = 0x4014, .length = 1},
        Watchpoint{.va = 0x4000, .length = 0x11, .on_load = true, .on_store = false}};
    engine_->set_watchpoints(watchpoints);
    for (u64 turn = 0; turn < 50; ++turn) {
        ASSERT_EQ(resume(), ExitReason::Watchpoint);
        ASSERT_EQ(cpu().pc, 0x1004u);
        ASSERT_EQ(cpu().retired - before, turn * kPerTurn + 1);
        ASSERT_EQ(bus_.peek<u64>(0x4010), 500 + turn);
        WatchHit hit = Engine::watch_hit(cpu());
        ASSERT_EQ(hit.index, 0u);
        ASSERT_EQ(hit.address, 0x4014u);
        ASSERT_TRUE(hit.is_store);
        step_over();
        ASSERT_EQ(bus_.peek<u64>(0x4010), 501 + turn);
        ASSERT_EQ(resume(), ExitReason::Watchpoint);
        ASSERT_EQ(cpu().pc, 0x1040u);
        hit = Engine::watch_hit(cpu());
        ASSERT_EQ(hit.index, 1u);
        ASSERT_EQ(hit.address, 0x4010u);
        ASSERT_FALSE(hit.is_store);
        step_over();
    }
    engine_->set_watchpoints({});
    ASSERT_EQ(resume(), ExitReason::Halt);
    EXPECT_EQ(cpu().retired, 1000 * kPerTurn + 1);
}

TEST_P(CrossingTest, BreakpointsBehindALinkAreFound) {
    // The link across the pages is made first; then the page behind it gets a breakpoint.
    map_both(16);
    load_loop();
    loop(1000);
    const std::array<u64, 1> breakpoints{kVirtual + 0x1008};
    engine_->set_breakpoints(breakpoints);
    cpu().gpr[0] = 1000;
    cpu().gpr[1] = 0;
    cpu().pc = kVirtual + 0xff8;
    EXPECT_EQ(engine_->run(cpu(), 100'000), ExitReason::Breakpoint);
    EXPECT_EQ(cpu().pc, kVirtual + 0x1008);
    EXPECT_EQ(cpu().gpr[1], 1u);
    // By another address the same code has none.
    map(0x2'0000, kPhysical, 16);
    map(0x2'1000, kPhysical + 0x1000, 16);
    cpu().pc = 0x2'0ff8;
    EXPECT_EQ(engine_->run(cpu(), 100'000), ExitReason::Halt);
    EXPECT_EQ(cpu().gpr[1], 1001u);
}

} // namespace
} // namespace tandem::jit
