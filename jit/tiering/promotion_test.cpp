#include "jit/disk_cache/disk_cache.h"
#include "jit/disk_cache/test_record.h"
#include "jit/tiering/engine.h"
#include "jit/tiering/toy_machine.h"

#include <gtest/gtest.h>

#include <chrono>

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

/// Loops are asked for at once, and compiled in the background.
class CompileServiceTest : public testing::Test {
protected:
    void attach(ToyState &cpu) {
        cpu.engine = engine.get();
        cpu.mmu = &mmu;
        engine->attach(cpu);
    }

    FakeBus bus;
    FakeMmu mmu;
    const ToyFrontend frontend{kHelpers};
    const std::unique_ptr<Engine> engine =
        std::move(Engine::create(frontend, mmu, bus,
                                 {.compile_threshold = 0,
                                  .optimise = Optimise::Hot,
                                  .region_compiler = TANDEM_LLVM_MODULE,
                                  .promotion_samples = 1}))
            .value();
};

/// Regions are published whenever the compile service is ready with them, so also while a vCPU
/// comes or goes.
TEST_F(CompileServiceTest, VcpusComeAndGoWhileItPublishes) {
    constexpr u64 kLoops = 60; // fewer than the service's queue takes
    for (u64 loop = 0; loop < kLoops; ++loop) {
        const u64 at = 0x1000 * (1 + loop);
        bus.poke(at, ToyInstruction{Toy::Add, 0, -1});
        bus.poke(at + 4, ToyInstruction{Toy::BranchNonZero, 0, -1});
        bus.poke(at + 8, ToyInstruction{Toy::Halt});
    }
    const auto has_its_region = [&](u64 loop) {
        ToyState cpu;
        const u64 before = engine->statistics().slices_in_regions;
        attach(cpu);
        cpu.pc = 0x1000 * (1 + loop);
        cpu.gpr[0] = 20'000;
        EXPECT_EQ(engine->run(cpu, 1'000'000), ExitReason::Halt);
        EXPECT_EQ(cpu.retired, 40'001u);
        engine->detach(cpu);
        return engine->statistics().slices_in_regions != before;
    };
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (u64 loop = 0; loop < kLoops && std::chrono::steady_clock::now() < patience;)
        if (has_its_region(loop)) ++loop;
    for (u64 loop = 0; loop < kLoops; ++loop) EXPECT_TRUE(has_its_region(loop)) << loop;
}

/// A loop that is left after each round gains nothing in T2: it goes back to T1, and stays there.
TEST_F(CompileServiceTest, RegionsThatAreLeftAtOnceAreTakenBack) {
    // The outer loop spans more pages than a region may, so the inner one is a region by itself.
    bus.poke(0x1000, ToyInstruction{Toy::Add, 1, -1});
    bus.poke(0x1004, ToyInstruction{Toy::BranchNonZero, 1, -1});
    bus.poke(0x1008, ToyInstruction{Toy::Branch, 0, 0x2000 / 4 - 2});
    for (u64 page = 0x3000; page < 0x6000; page += 0x1000)
        bus.poke(page, ToyInstruction{Toy::Branch, 0, 0x1000 / 4});
    bus.poke(0x6000, ToyInstruction{Toy::Branch, 0, -0x4000 / 4});
    bus.poke(0x2000, ToyInstruction{Toy::Add, 1, 1});
    bus.poke(0x2004, ToyInstruction{Toy::Add, 0, -1});
    bus.poke(0x2008, ToyInstruction{Toy::Add, 2, 1}); // else all slices would end at one block
    bus.poke(0x200c, ToyInstruction{Toy::Add, 2, 1});
    bus.poke(0x2010, ToyInstruction{Toy::BranchNonZero, 0, -0x1000 / 4 - 4});
    bus.poke(0x2014, ToyInstruction{Toy::Halt});
    ToyState cpu;
    attach(cpu);
    const auto run = [&] {
        cpu.pc = 0x2000;
        cpu.gpr[0] = 100'000;
        cpu.gpr[1] = 0;
        const u64 before = cpu.retired;
        EXPECT_EQ(engine->run(cpu, 10'000'000), ExitReason::Halt);
        EXPECT_EQ(cpu.retired - before, 100'000u * 12 - 6);
    };
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (engine->statistics().regions_demoted == 0 && std::chrono::steady_clock::now() < patience)
        run();
    EXPECT_EQ(engine->statistics().regions_demoted, 1u);
    const u64 before = engine->statistics().slices_in_regions;
    run();
    EXPECT_EQ(engine->statistics().slices_in_regions, before);
    engine->detach(cpu);
}

/// A loop on one page that goes through another one, whose code adds to x1.
class OtherPageTest : public CompileServiceTest {
protected:
    OtherPageTest() {
        bus.poke(kLoop, ToyInstruction{Toy::Store32, 3, 4}); // x4 to the address in x3
        bus.poke(kLoop + 4, ToyInstruction{Toy::Branch, 0, 0x1000 / 4 - 1});
        bus.poke(kLoop + 8, ToyInstruction{Toy::Add, 0, -1});
        bus.poke(kLoop + 12, ToyInstruction{Toy::BranchNonZero, 0, -3});
        bus.poke(kLoop + 16, ToyInstruction{Toy::Halt});
        poke_other(kOther, 1);
        poke_other(kAnother, 2);
        attach(cpu);
    }
    ~OtherPageTest() override { engine->detach(cpu); }
    void poke_other(u64 at, i16 step) {
        bus.poke(at, ToyInstruction{Toy::Add, 1, step});
        bus.poke(at + 4, ToyInstruction{Toy::Branch, 0, -0x1000 / 4 + 1});
    }
    /// What the other page's code has added in so many rounds.
    u64 run(u64 rounds) {
        cpu.pc = kLoop;
        cpu.gpr[0] = rounds;
        cpu.gpr[1] = 0;
        const u64 before = cpu.retired;
        EXPECT_EQ(engine->run(cpu, 10'000'000), ExitReason::Halt);
        EXPECT_EQ(cpu.retired - before, rounds * 6 + 1);
        return cpu.gpr[1];
    }
    [[nodiscard]] u64 slices_in_regions() const { return engine->statistics().slices_in_regions; }
    /// Runs until the loop does so in T2.
    void get_to_t2() {
        const u64 before = slices_in_regions();
        const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (slices_in_regions() == before && std::chrono::steady_clock::now() < patience)
            EXPECT_EQ(run(kRounds), kRounds * step);
        EXPECT_NE(slices_in_regions(), before);
        EXPECT_EQ(engine->statistics().regions_demoted, 0u);
    }
    void switch_to(u16 asid) {
        mmu.asid = asid;
        engine->tlb_control().set_address_space(cpu, asid);
    }
    void map_other(u16 asid, u64 physical) { mmu.map(asid, kOther, FakeMmu::ram(physical)); }

    static constexpr u64 kLoop = 0x1000, kOther = 0x2000, kAnother = 0x3000, kRounds = 20'000;
    ToyState cpu;
    u64 step = 1;
};

TEST_F(OtherPageTest, OneRegionHasBoth) {
    cpu.gpr[3] = 0x8000;
    get_to_t2();
    const u64 before = engine->statistics().jump_cache_misses;
    const u64 slices = slices_in_regions();
    EXPECT_EQ(run(1'000'000), 1'000'000u);
    EXPECT_GT(slices_in_regions() - slices, 600u); // of 732
    EXPECT_LT(engine->statistics().jump_cache_misses - before, 100u);
}

TEST_F(OtherPageTest, WhatIsMappedThereCounts) {
    cpu.gpr[3] = 0x8000;
    map_other(0, kOther);
    map_other(1, kAnother);
    switch_to(0);
    get_to_t2();
    for (unsigned i = 0; i < 10; ++i) {
        switch_to(1);
        EXPECT_EQ(run(kRounds), 2 * kRounds);
        switch_to(0);
        EXPECT_EQ(run(kRounds), kRounds);
    }
}

TEST_F(OtherPageTest, ItsMappingChanges) {
    cpu.gpr[3] = 0x8000;
    map_other(0, kOther);
    switch_to(0);
    get_to_t2();
    map_other(0, kAnother);
    engine->tlb_control().invalidate(
        cpu, {.scope = ir::TlbInvalidation::Scope::RangeGlobal, .broadcast = true, .va = kOther});
    EXPECT_EQ(run(kRounds), 2 * kRounds);
}

TEST_F(OtherPageTest, ItsCodeIsRewrittenFromOutside) {
    cpu.gpr[3] = 0x8000;
    for (step = 1; step < 4; ++step) {
        poke_other(kOther, static_cast<i16>(step));
        engine->invalidate_physical(kOther, 8);
        get_to_t2();
    }
}

TEST_F(OtherPageTest, TheLoopRewritesIt) {
    cpu.gpr[3] = 0x8000;
    get_to_t2();
    cpu.gpr[3] = kOther; // the store before it runs
    cpu.gpr[4] = std::bit_cast<u32>(ToyInstruction{Toy::Add, 1, 5});
    EXPECT_EQ(run(100), 500u);
    cpu.gpr[4] = std::bit_cast<u32>(ToyInstruction{Toy::Add, 1, 7});
    EXPECT_EQ(run(100), 700u);
    cpu.gpr[3] = 0x8000;
    step = 7;
    get_to_t2();
}

/// A loop through branches to an address in a register, as an interpreter's.
TEST_F(CompileServiceTest, RegionsFollowIndirectBranches) {
    ToyState cpu;
    attach(cpu);
    bus.poke(0x1000, ToyInstruction{Toy::Add, 1, 1});
    bus.poke(0x1004, ToyInstruction{Toy::BranchTo, 5});
    bus.poke(0x1100, ToyInstruction{Toy::Add, 0, -1});
    bus.poke(0x1104, ToyInstruction{Toy::BranchNonZero, 0, -0x104 / 4});
    bus.poke(0x1108, ToyInstruction{Toy::Halt});
    bus.poke(0x4000, ToyInstruction{Toy::Add, 0, -1}); // the same elsewhere
    bus.poke(0x4004, ToyInstruction{Toy::BranchNonZero, 0, -0x3004 / 4});
    bus.poke(0x4008, ToyInstruction{Toy::Halt});
    const auto run = [&](u64 target) {
        cpu.pc = 0x1000;
        cpu.gpr[0] = 20'000;
        cpu.gpr[1] = 0;
        cpu.gpr[5] = target;
        const u64 before = cpu.retired;
        EXPECT_EQ(engine->run(cpu, 10'000'000), ExitReason::Halt);
        EXPECT_EQ(cpu.retired - before, 80'001u);
        EXPECT_EQ(cpu.gpr[1], 20'000u);
    };
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (engine->statistics().slices_in_regions == 0 &&
           std::chrono::steady_clock::now() < patience)
        run(0x1100);
    EXPECT_NE(engine->statistics().slices_in_regions, 0u);
    run(0x4000);
    run(0x1100);
    engine->detach(cpu);
}

/// A machine whose T2 keeps its code in a directory.
class DiskCacheEngineTest : public test::DirectoryTest {
protected:
    DiskCacheEngineTest() {
        // The first page's code jumps to a loop of two blocks on the second.
        bus.poke(kStart, ToyInstruction{Toy::Branch, 0, 0x1000 / 4});
        bus.poke(kLoop, ToyInstruction{Toy::Add, 0, -1});
        bus.poke(kLoop + 4, ToyInstruction{Toy::Helper, 0, kComplete});
        bus.poke(kLoop + 8, ToyInstruction{Toy::BranchNonZero, 0, -2});
        bus.poke(kLoop + 12, ToyInstruction{Toy::Halt});
    }
    std::unique_ptr<DiskCache> open_cache() {
        return std::make_unique<DiskCache>(
            DiskCacheOptions{.directory = folder_,
                             .identity = {.value = {1, 2}, .made_for = "this test"},
                             .warn = [](const std::string &what) { ADD_FAILURE() << what; }});
    }
    /// Whether the loop comes to run in T2 within this time.
    bool gets_to_t2(DiskCache *cache, const char *compiler, std::chrono::milliseconds patience) {
        auto engine = std::move(Engine::create(frontend, mmu, bus,
                                               {.compile_threshold = 0,
                                                .optimise = Optimise::Hot,
                                                .region_compiler = compiler,
                                                .promotion_samples = 1,
                                                .disk_cache = cache}))
                          .value();
        ToyState cpu;
        cpu.engine = engine.get();
        cpu.mmu = &mmu;
        engine->attach(cpu);
        const auto end = std::chrono::steady_clock::now() + patience;
        while (engine->statistics().slices_in_regions == 0 &&
               std::chrono::steady_clock::now() < end) {
            cpu.pc = kStart;
            cpu.gpr[0] = 20'000;
            const u64 before = cpu.retired;
            EXPECT_EQ(engine->run(cpu, 1'000'000), ExitReason::Halt);
            EXPECT_EQ(cpu.retired - before, 60'002u);
        }
        engine->detach(cpu);
        return engine->statistics().slices_in_regions != 0;
    }

    static constexpr u64 kStart = 0x1000, kLoop = 0x2000;
    static constexpr const char *kNoCompiler = "/nonexistent/compiler";
    static constexpr std::chrono::milliseconds kLong{60'000}, kShort{200};
    FakeBus bus;
    FakeMmu mmu;
    const ToyFrontend frontend{kHelpers};
};

TEST_F(DiskCacheEngineTest, WhatOneEngineCompilesAnotherRunsWithoutCompiler) {
    EXPECT_FALSE(gets_to_t2(open_cache().get(), kNoCompiler, kShort));
    EXPECT_TRUE(gets_to_t2(open_cache().get(), TANDEM_LLVM_MODULE, kLong));
    EXPECT_TRUE(gets_to_t2(open_cache().get(), kNoCompiler, kLong));
    EXPECT_FALSE(gets_to_t2(nullptr, kNoCompiler, kShort));
}

TEST_F(DiskCacheEngineTest, OtherGuestCodeIsNotMistakenForIt) {
    EXPECT_TRUE(gets_to_t2(open_cache().get(), TANDEM_LLVM_MODULE, kLong));
    bus.poke(kLoop + 16, ToyInstruction{Toy::Undefined}); // behind it
    EXPECT_TRUE(gets_to_t2(open_cache().get(), kNoCompiler, kLong));
    bus.poke(kLoop + 4, ToyInstruction{Toy::Add, 1, 5});
    EXPECT_FALSE(gets_to_t2(open_cache().get(), kNoCompiler, kShort));
}

} // namespace
} // namespace tandem::jit
