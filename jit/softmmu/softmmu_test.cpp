#include "jit/softmmu/softmmu.h"

#include "jit/softmmu/fake_machine.h"
#include "jit/softmmu/tlb_broadcast.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>

namespace tandem::jit {
namespace {

using ir::MemoryOp;
using ir::Regime;
using ir::TlbInvalidation;
using test::FakeBus;
using test::FakeMmu;

constexpr MemoryOp kUser{.regime = Regime::User};
constexpr MemoryOp kKernel{.regime = Regime::Kernel};

struct NoCode final : CodeWriteHandler {
    bool hits_block_at(u64, u32, u64) override { return hits; }
    void code_written(u64 physical, u64, Statistics &) override {
        written.push_back(physical);
        if (on_written) on_written();
    }
    bool hits = false;
    std::vector<u64> written;
    std::function<void()> on_written;
};

class SoftmmuTest : public testing::Test {
protected:
    SoftmmuTest() {
        for (auto &softmmu : cpus_) softmmu = nullptr;
        for (unsigned i = 0; i < 2; ++i) {
            cpus_[i] = std::make_unique<Softmmu>(contexts_[i], shared_);
            control_.add(*cpus_[i]);
        }
    }
    u64 load(u64 va, MemoryOp op = kUser, unsigned size_log2 = 3) {
        ctx().pending_exit = ir::PendingExit::None;
        return cpus_[0]->load(ctx(), va, size_log2, op);
    }
    void store(u64 va, u64 value, MemoryOp op = kUser, unsigned size_log2 = 3) {
        ctx().pending_exit = ir::PendingExit::None;
        cpus_[0]->store(ctx(), va, size_log2, value, op);
    }
    void enter(u16 asid) {
        mmu_.asid = asid;
        control_.set_address_space(ctx(), asid);
    }
    /// Would translated code find this page without the slow path?
    bool hits(u64 va, Regime regime, bool write = false, unsigned cpu = 0) {
        const TlbEntry &entry = contexts_[cpu].tlb[static_cast<unsigned>(regime)][tlb_index(va)];
        return (write ? entry.write_tag : entry.read_tag) == (va & kPageMask);
    }
    bool faulted() { return ctx().pending_exit != ir::PendingExit::None; }
    ir::ExecContext &ctx() { return contexts_[0]; }
    void invalidate(const TlbInvalidation &what) { control_.invalidate(ctx(), what); }

    FakeBus bus_;
    FakeMmu mmu_;
    CodeMap code_map_;
    NoCode code_writes_;
    DebugPoints debug_points_;
    SoftmmuShared shared_{mmu_, bus_, code_map_, code_writes_, debug_points_, 1};
    TlbBroadcast control_;
    std::array<ir::ExecContext, 2> contexts_;
    std::array<std::unique_ptr<Softmmu>, 2> cpus_;
};

TEST_F(SoftmmuTest, LoadsAndStoresOfEverySizeAndAcrossPages) {
    for (u64 va = 0x2ff0; va < 0x3008; ++va) {
        for (unsigned size = 0; size < 4; ++size) {
            store(va, 0x1122'3344'5566'7788, kUser, size);
            EXPECT_EQ(load(va, kUser, size), 0x1122'3344'5566'7788 & ones(8u << size));
        }
        const ir::Vec vector{{va, ~va}};
        cpus_[0]->store128(ctx(), va, vector, kUser);
        EXPECT_EQ(cpus_[0]->load128(ctx(), va, kUser), vector);
    }
    EXPECT_FALSE(faulted());
}

TEST_F(SoftmmuTest, StoreAcrossPagesFaultsBeforeItWritesAnything) {
    mmu_.map(0, 0x5000, {.physical = 0x5000, .readable = true});
    store(0x4ff8, 0);
    store(0x4ffc, ~u64{0});
    EXPECT_TRUE(faulted());
    EXPECT_EQ(mmu_.fault_va, 0x5000u);
    EXPECT_EQ(bus_.peek<u64>(0x4ff8), 0u);
}

TEST_F(SoftmmuTest, AddressSpacesKeepTheirEntries) {
    for (u16 asid = 1; asid <= 3; ++asid) {
        mmu_.map(asid, 0x7000, FakeMmu::ram(0x10000 + asid * 0x1000ull));
        bus_.poke<u64>(0x10000 + asid * 0x1000ull, asid);
    }
    for (u16 asid = 1; asid <= 3; ++asid) {
        enter(asid);
        EXPECT_EQ(load(0x7000), asid);
        EXPECT_EQ(load(0x7000, kKernel), asid);
    }
    const u64 walks = mmu_.walks;
    for (u16 asid = 1; asid <= 3; ++asid) {
        enter(asid);
        EXPECT_EQ(load(0x7000), asid);
    }
    EXPECT_EQ(mmu_.walks, walks);
    // The kernel's entry for the non-global page had to go.
    EXPECT_EQ(load(0x7000, kKernel), 3u);
    enter(1);
    EXPECT_EQ(load(0x7000, kKernel), 1u);
}

TEST_F(SoftmmuTest, MoreAddressSpacesThanTables) {
    for (u16 asid = 1; asid <= 40; ++asid) {
        mmu_.map(asid, 0x7000, FakeMmu::ram(0x10000 + asid * 0x1000ull));
        bus_.poke<u64>(0x10000 + asid * 0x1000ull, asid);
    }
    for (int round = 0; round < 3; ++round) {
        for (u16 asid = 1; asid <= 40; ++asid) {
            enter(asid);
            EXPECT_EQ(load(0x7000), asid);
        }
    }
}

TEST_F(SoftmmuTest, InvalidationByAddressIsPrecise) {
    enter(1);
    mmu_.map(1, 0x7000, FakeMmu::ram(0x7000));
    mmu_.map(1, 0x8000, FakeMmu::ram(0x8000));
    load(0x7000);
    load(0x8000);
    load(0x7000, kKernel);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 2, .va = 0x7000});
    EXPECT_TRUE(hits(0x7000, Regime::User));
    load(0x7000, kKernel);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x7000});
    EXPECT_FALSE(hits(0x7000, Regime::User));
    EXPECT_FALSE(hits(0x7000, Regime::Kernel));
    EXPECT_TRUE(hits(0x8000, Regime::User));
}

TEST_F(SoftmmuTest, InvalidationFindsTaggedPointersAndLargeMappings) {
    enter(1);
    const u64 tagged = u64{0x5a} << 56 | 0x9000;
    mmu_.map(1, 0x9000, FakeMmu::ram(0x9000));
    load(tagged);
    EXPECT_TRUE(hits(tagged, Regime::User));
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x9000});
    EXPECT_FALSE(hits(tagged, Regime::User));

    auto large = FakeMmu::ram(0x41000);
    large.size_log2 = 21;
    mmu_.map(1, 0x400000 + 0x41000, large);
    load(0x441000);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x400000});
    EXPECT_FALSE(hits(0x441000, Regime::User));
    load(0x441000);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x600000});
    EXPECT_TRUE(hits(0x441000, Regime::User));
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x300000, .pages = 300});
    EXPECT_FALSE(hits(0x441000, Regime::User));
}

TEST_F(SoftmmuTest, InvalidationByAddressSpaceKeepsGlobalEntries) {
    enter(1);
    mmu_.map(1, 0x7000, FakeMmu::ram(0x7000));
    load(0x7000);
    load(0x7000, kKernel);
    load(0x8000, kKernel); // global
    invalidate({.scope = TlbInvalidation::Scope::Asid, .asid = 1});
    EXPECT_FALSE(hits(0x7000, Regime::User));
    EXPECT_FALSE(hits(0x7000, Regime::Kernel));
    EXPECT_TRUE(hits(0x8000, Regime::Kernel));
    // A global page seen through a User table goes whatever the ASID says.
    load(0x8000);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 9, .va = 0x8000});
    EXPECT_FALSE(hits(0x8000, Regime::User));
    EXPECT_FALSE(hits(0x8000, Regime::Kernel));
    load(0x7000);
    invalidate({});
    EXPECT_FALSE(hits(0x7000, Regime::User));
}

TEST_F(SoftmmuTest, ManyFillsThenClear) {
    for (u64 va = 0; va < FakeBus::kRamSize; va += 0x1000) load(va);
    invalidate({});
    for (u64 va = 0; va < FakeBus::kRamSize; va += 0x1000) EXPECT_FALSE(hits(va, Regime::User));
}

TEST_F(SoftmmuTest, PermissionsRomDevicesAndAlignment) {
    mmu_.map(0, 0x7000, {.physical = 0x7000, .readable = true});
    load(0x7000);
    EXPECT_FALSE(hits(0x7000, Regime::User, true));
    store(0x7000, 1);
    EXPECT_TRUE(faulted());

    load(FakeBus::kRom);
    EXPECT_TRUE(hits(FakeBus::kRom, Regime::User));
    store(FakeBus::kRom, 1); // the bus refuses
    EXPECT_EQ(mmu_.fault, FakeMmu::Fault::External);

    bus_.device_value = 0x1234'5678;
    EXPECT_EQ(load(FakeBus::kDevice + 4, kUser, 2), 0x1234'5678u);
    EXPECT_EQ(bus_.last_size, 2u);
    store(FakeBus::kDevice + 8, 0xabcd, kUser, 1);
    EXPECT_EQ(bus_.device_value, 0xabcdu);
    EXPECT_EQ(bus_.writes, 1u);
    const u64 walks = mmu_.walks;
    store(FakeBus::kDevice, 1);
    load(FakeBus::kDevice);
    EXPECT_EQ(mmu_.walks, walks); // a known device page needs none
    load(FakeBus::kDevice + 0x2000);
    EXPECT_TRUE(faulted());

    auto device = FakeMmu::ram(0xa000);
    device.device = true;
    mmu_.map(0, 0xa000, device);
    load(0xa001, kUser, 1);
    EXPECT_EQ(mmu_.fault, FakeMmu::Fault::Alignment);
    load(0xa002, kUser, 1);
    EXPECT_FALSE(faulted());
    MemoryOp natural = kUser;
    natural.alignment = ir::Alignment::Natural;
    load(0xb004, natural);
    EXPECT_TRUE(faulted());
    natural.alignment = ir::Alignment::Within16;
    load(0xb004, natural);
    EXPECT_FALSE(faulted());
    load(0xb00c, natural);
    EXPECT_TRUE(faulted());
}

TEST_F(SoftmmuTest, WatchedPagesAreAlwaysSlow) {
    mmu_.watched = 0xc010;
    control_.watchpoints_changed(ctx());
    load(0xc008);
    EXPECT_FALSE(faulted());
    EXPECT_FALSE(hits(0xc008, Regime::User));
    load(0xc010);
    EXPECT_TRUE(faulted());
    store(0xc00c, 0);
    EXPECT_TRUE(faulted());
}

TEST_F(SoftmmuTest, AtomicsOfEverySizeAlignedOrNot) {
    for (const u64 va : {u64{0xd000}, u64{0xd003}, u64{0xd005}}) {
        for (u8 size = 0; size < 4; ++size) {
            if ((va & 15) + (1u << size) > 16) continue;
            MemoryOp op{.regime = Regime::User,
                        .alignment = ir::Alignment::Within16,
                        .size_log2 = size,
                        .atomic = ir::AtomicKind::Add};
            const u64 mask = ones(8u << size);
            store(va, 0x80, kUser, size);
            EXPECT_EQ(cpus_[0]->atomic(ctx(), va, 0x7f, op), 0x80u);
            EXPECT_EQ(load(va, kUser, size), 0xffu);
            op.atomic = ir::AtomicKind::SMax;
            cpus_[0]->atomic(ctx(), va, ~u64{0}, op);
            EXPECT_EQ(load(va, kUser, size), 0xffu);
            op.atomic = ir::AtomicKind::Swap;
            EXPECT_EQ(cpus_[0]->atomic(ctx(), va, ~u64{0}, op), 0xffu);
            EXPECT_EQ(load(va, kUser, size), mask);
            EXPECT_EQ(cpus_[0]->compare_swap(ctx(), va, mask, 5, op), mask);
            EXPECT_EQ(cpus_[0]->compare_swap(ctx(), va, mask, 6, op), 5u);
            EXPECT_EQ(load(va, kUser, size), 5u);
        }
    }
    const ir::Vec zero, one{{1, 2}};
    EXPECT_EQ(cpus_[0]->compare_swap128(ctx(), 0xd100, zero, one, kUser), zero);
    EXPECT_EQ(cpus_[0]->compare_swap128(ctx(), 0xd100, zero, zero, kUser), one);
    EXPECT_FALSE(faulted());
    cpus_[0]->compare_swap128(ctx(), 0xd108, zero, one, kUser);
    EXPECT_TRUE(faulted());
}

TEST_F(SoftmmuTest, ExclusiveMonitor) {
    for (u8 size = 0; size < 5; ++size) {
        const MemoryOp op{.regime = Regime::User, .size_log2 = size};
        cpus_[0]->store128(ctx(), 0xe000, {{7, 8}}, kUser);
        const ir::Vec old = cpus_[0]->load_exclusive(ctx(), 0xe000, op);
        EXPECT_EQ(old, (ir::Vec{{7, size == 4 ? 8u : 0u}}));
        EXPECT_EQ(cpus_[0]->store_exclusive(ctx(), 0xe000, {{9, 10}}, op), 0u);
        EXPECT_EQ(load(0xe000, kUser, 0), 9u);
        EXPECT_EQ(cpus_[0]->store_exclusive(ctx(), 0xe000, {{11, 0}}, op), 1u);
        static_cast<void>(cpus_[0]->load_exclusive(ctx(), 0xe000, op));
        cpus_[1]->store(contexts_[1], 0xe000, 0, 1, kUser);
        EXPECT_EQ(cpus_[0]->store_exclusive(ctx(), 0xe000, {{12, 0}}, op), 1u);
        static_cast<void>(cpus_[0]->load_exclusive(ctx(), 0xe000, op));
        cpus_[0]->clear_exclusive(ctx());
        EXPECT_EQ(cpus_[0]->store_exclusive(ctx(), 0xe000, {{13, 0}}, op), 1u);
        static_cast<void>(cpus_[0]->load_exclusive(ctx(), 0xe000, op));
        EXPECT_EQ(cpus_[0]->store_exclusive(ctx(), 0xe010, {{13, 0}}, op), 1u);
    }
}

TEST_F(SoftmmuTest, StoresToCodePagesAreNoticed) {
    store(0x7000, 1);
    store(0x7000, 1, kKernel);
    EXPECT_TRUE(hits(0x7000, Regime::User, true));
    code_map_.get(0x7000).granules |= CodePage::mask(0x100, 8);
    cpus_[0]->slow_down_writes(0x7000);
    EXPECT_FALSE(hits(0x7000, Regime::User, true));
    EXPECT_FALSE(hits(0x7000, Regime::Kernel, true));
    EXPECT_TRUE(hits(0x7000, Regime::User));
    store(0x7000, 2);
    EXPECT_TRUE(code_writes_.written.empty());
    // As long as nobody knows where the running block is, the store has to be made outside of it.
    store(0x7104, 2);
    EXPECT_TRUE(faulted());
    EXPECT_TRUE(cpus_[0]->take_isolation());
    FetchPage page;
    static_cast<void>(cpus_[0]->update_exec_tag());
    ASSERT_TRUE(cpus_[0]->fetch(0, page));
    EXPECT_TRUE(code_writes_.written.empty());
    store(0x7104, 2);
    EXPECT_EQ(code_writes_.written, std::vector<u64>{0x7104});
    store(0x70fe, 2);
    EXPECT_EQ(code_writes_.written.size(), 2u);
    // Without code on it the page becomes fast again.
    code_map_.get(0x7000).granules = 0;
    store(0x7000, 3);
    EXPECT_TRUE(hits(0x7000, Regime::User, true));
}

TEST_F(SoftmmuTest, BlocksGoBeforeTheStoreIsMade) {
    store(0x7000, 1);
    FetchPage page;
    static_cast<void>(cpus_[0]->update_exec_tag());
    ASSERT_TRUE(cpus_[0]->fetch(0, page));
    code_map_.get(0x7000).granules |= CodePage::mask(0x100, 8);
    cpus_[0]->slow_down_writes(0x7000);
    code_writes_.on_written = [&] {
        EXPECT_EQ(bus_.peek<u64>(0x7100), 0u);
        // Nothing that is translated from these bytes now may be kept.
        EXPECT_TRUE(control_.is_any_storing_to(0x7107, 1));
        EXPECT_TRUE(control_.is_any_storing_to(0x70f8, 9));
        EXPECT_FALSE(control_.is_any_storing_to(0x70f8, 8));
        EXPECT_FALSE(control_.is_any_storing_to(0x7108, 8));
    };
    store(0x7100, 2);
    EXPECT_EQ(code_writes_.written.size(), 1u);
    EXPECT_EQ(bus_.peek<u64>(0x7100), 2u);
    EXPECT_FALSE(control_.is_any_storing_to(0x7100, 8));
    // A translation that begins during the store may have read either: its blocks go afterwards.
    code_writes_.on_written = [&] { ++code_map_.get(0x7000).reservations_made; };
    store(0x7100, 3);
    EXPECT_EQ(code_writes_.written.size(), 3u);
}

TEST_F(SoftmmuTest, StoresUnderWayToACodePageAreWaitedFor) {
    const auto store_by_other = [&](u64 va) { cpus_[1]->store(contexts_[1], va, 3, 1, kUser); };
    store_by_other(0x7000);
    EXPECT_TRUE(hits(0x7000, Regime::User, true, 1));
    // Nothing is under way on a CPU that accesses nothing, nor in another page.
    EXPECT_FALSE(control_.slow_down_writes(*cpus_[0], 0x7000));
    EXPECT_FALSE(hits(0x7000, Regime::User, true, 1));
    cpus_[1]->acknowledge();
    cpus_[1]->safepoint.begin_accesses();
    EXPECT_FALSE(control_.slow_down_writes(*cpus_[0], 0x7000));

    store_by_other(0x8000);
    EXPECT_FALSE(control_.slow_down_writes(*cpus_[0], 0x9000));
    EXPECT_TRUE(control_.slow_down_writes(*cpus_[0], 0x8000));
    // Who comes second waits as well, until the owner has been seen between two accesses.
    EXPECT_TRUE(control_.slow_down_writes(*cpus_[0], 0x8000));
    cpus_[1]->acknowledge();
    EXPECT_FALSE(control_.slow_down_writes(*cpus_[0], 0x8000));

    // The store may use an entry that a third CPU has removed meanwhile.
    store_by_other(0xa000);
    u64 ticket = 0;
    EXPECT_TRUE(cpus_[1]->invalidate_remotely({}, ticket));
    EXPECT_TRUE(control_.slow_down_writes(*cpus_[0], 0xa000));
    cpus_[1]->safepoint.end_accesses();
    TlbBroadcast::wait(*cpus_[0]);
    EXPECT_TRUE(cpus_[0]->awaited.empty());
}

TEST_F(SoftmmuTest, TheFirstStoreToEachPageIsToldInEachRound) {
    store(0x7000, 1);
    EXPECT_TRUE(hits(0x7000, Regime::User, true));
    bus_.is_tracking = true;
    for (int round = 0; round < 3; ++round) {
        bus_.stored_to.fill(false);
        control_.slow_down_all_writes();
        for (const u64 page : {u64{0x7000}, u64{0x8000}}) {
            load(page);
            EXPECT_TRUE(hits(page, Regime::User));
            EXPECT_FALSE(hits(page, Regime::User, true)) << "whether filled by a load or slowed";
        }
        store(0x7ffc, 2); // both
        EXPECT_TRUE(bus_.stored_to[7] && bus_.stored_to[8]);
        EXPECT_TRUE(hits(0x7000, Regime::User, true) && hits(0x8000, Regime::User, true));
        // Every other kind of store, and a page that was not mapped before.
        const MemoryOp op{.regime = Regime::User, .size_log2 = 3};
        cpus_[0]->store128(ctx(), 0x9000, {{1, 2}}, kUser);
        cpus_[0]->store_pair(ctx(), 0xa000, 3, {{1, 2}}, kUser);
        cpus_[0]->atomic(ctx(), 0xb000, 1, op);
        cpus_[0]->compare_swap(ctx(), 0xc000, 0, 1, op);
        cpus_[0]->compare_swap128(ctx(), 0xd000, {}, {{1, 2}}, kUser);
        static_cast<void>(cpus_[0]->load_exclusive(ctx(), 0xe000, op));
        EXPECT_FALSE(bus_.stored_to[14]);
        EXPECT_EQ(cpus_[0]->store_exclusive(ctx(), 0xe000, {{3, 0}}, op), 0u);
        for (u64 page = 9; page <= 14; ++page) EXPECT_TRUE(bus_.stored_to[page]) << page;
        // A page with code, whose write tags stay slow.
        code_map_.get(0xf000).granules = CodePage::mask(0x100, 8);
        store(0xf000, 5);
        EXPECT_TRUE(bus_.stored_to[15]);
        EXPECT_FALSE(hits(0xf000, Regime::User, true));
    }
    bus_.is_tracking = false;
    bus_.stored_to.fill(false);
    store(0x10000, 1);
    EXPECT_TRUE(hits(0x10000, Regime::User, true));
}

TEST_F(SoftmmuTest, StoresUnderWayAreWaitedForWhenARoundBegins) {
    cpus_[1]->store(contexts_[1], 0x7000, 3, 1, kUser);
    u64 ticket = 0;
    EXPECT_FALSE(cpus_[1]->slow_down_all_writes(ticket)) << "it accesses nothing";
    EXPECT_FALSE(hits(0x7000, Regime::User, true, 1));
    cpus_[1]->safepoint.begin_accesses();
    EXPECT_TRUE(cpus_[1]->slow_down_all_writes(ticket));
    std::atomic<bool> is_over = false;
    std::thread collector([&] {
        control_.slow_down_all_writes();
        is_over = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_FALSE(is_over);
    cpus_[1]->acknowledge();
    cpus_[1]->safepoint.end_accesses();
    collector.join();
}

TEST_F(SoftmmuTest, BroadcastReachesOthersAndWaitsForThem) {
    cpus_[1]->load(contexts_[1], 0x7000, 3, kUser);
    EXPECT_TRUE(hits(0x7000, Regime::User, false, 1));
    cpus_[1]->safepoint.begin_accesses();
    const TlbInvalidation what{
        .scope = TlbInvalidation::Scope::RangeGlobal, .broadcast = true, .va = 0x7000};
    invalidate(what);
    EXPECT_FALSE(hits(0x7000, Regime::User, false, 1));
    EXPECT_EQ(cpus_[0]->awaited.size(), 1u);
    EXPECT_EQ(contexts_[1].attention, kAttentionAcknowledge);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        cpus_[1]->acknowledge();
    });
    const auto start = std::chrono::steady_clock::now();
    control_.complete(ctx());
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(10));
    other.join();
    // It has nothing of the page now: no need to wait.
    invalidate(what);
    EXPECT_TRUE(cpus_[0]->awaited.empty());
    // A CPU that accesses nothing is not waited for.
    cpus_[1]->load(contexts_[1], 0x7000, 3, kUser);
    cpus_[1]->safepoint.end_accesses();
    invalidate(what);
    EXPECT_TRUE(cpus_[0]->awaited.empty());
    EXPECT_FALSE(hits(0x7000, Regime::User, false, 1));
}

TEST_F(SoftmmuTest, FetchGenerations) {
    FetchPage page;
    ctx().mode = 0;
    enter(1);
    mmu_.map(1, 0x7000, FakeMmu::ram(0x7000));
    static_cast<void>(cpus_[0]->update_exec_tag());
    ASSERT_TRUE(cpus_[0]->fetch(0x7000, page));
    EXPECT_EQ(page.physical_page, 0x7000u);
    const u64 first = cpus_[0]->update_exec_tag();
    // Data pages do not disturb instruction fetch.
    load(0x9000);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x9000});
    EXPECT_EQ(ctx().exec_tag, first);
    enter(2);
    EXPECT_NE(ctx().exec_tag, first);
    enter(1);
    EXPECT_EQ(ctx().exec_tag, first);
    invalidate({.scope = TlbInvalidation::Scope::Range, .asid = 1, .va = 0x7000});
    EXPECT_NE(ctx().exec_tag, first);
    // Global kernel code survives a context switch; non-global code does not.
    ctx().mode = 1;
    static_cast<void>(cpus_[0]->update_exec_tag());
    ASSERT_TRUE(cpus_[0]->fetch(0x8000, page));
    const u64 kernel = ctx().exec_tag;
    enter(2);
    EXPECT_EQ(ctx().exec_tag, kernel);
    mmu_.map(2, 0x8000, FakeMmu::ram(0x8000));
    invalidate({});
    static_cast<void>(cpus_[0]->update_exec_tag());
    ASSERT_TRUE(cpus_[0]->fetch(0x8000, page));
    const u64 non_global = ctx().exec_tag;
    enter(1);
    EXPECT_NE(ctx().exec_tag, non_global);
}

} // namespace
} // namespace tandem::jit
