#include "frontend-arm/mmu/mmu.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/mmu/walk.h"
#include "frontend-arm/state/test_cpu.h"
#include "frontend-arm/sysreg/sysreg.h"

#include <gtest/gtest.h>

namespace tandem::arm {
namespace {

using ir::AccessKind;
using ir::Regime;
using testing::TestBus;
using testing::TestCpu;

constexpr u64 kRoot = TestBus::kBase + 0x100000;
constexpr u64 kAf = 1u << 10, kUser = 1u << 6, kReadOnly = 1u << 7, kNg = 1u << 11;
constexpr u64 kDbm = u64{1} << 51, kPxn = u64{1} << 53, kUxn = u64{1} << 54;

/// TCR_EL1 for one granule in both halves: TnSZ, 48-bit outputs.
u64 tcr(unsigned granule, unsigned input_bits) {
    const u64 tsz = 64 - input_bits;
    const u64 tg0 = granule == 12 ? 0 : granule == 14 ? 2 : 1;
    const u64 tg1 = granule == 12 ? 2 : granule == 14 ? 1 : 3;
    return tsz | tsz << 16 | tg0 << 14 | tg1 << 30 | u64{5} << 32;
}

struct MmuTest : ::testing::Test {
    MmuTest() { configure(12, 48); }

    void configure(unsigned granule_bits, unsigned input) {
        granule = granule_bits;
        input_bits = input;
        cpu.sysreg(reg::SCTLR_EL1) |= 1;
        cpu.sysreg(reg::TCR_EL1) = tcr(granule, input_bits);
        cpu.sysreg(reg::TTBR0_EL1) = cpu.sysreg(reg::TTBR1_EL1) = kRoot;
        cpu.sysreg(reg::MAIR_EL1) = 0x0000000000ff4400; // 0 device, 1 non-cacheable, 2 write-back
        next_table = kRoot + 0x100000;
    }

    unsigned start_level() const {
        const unsigned stride = granule - 3;
        return 4 - (input_bits - granule + stride - 1) / stride;
    }
    unsigned low_bit(unsigned level) const { return granule + (3 - level) * (granule - 3); }

    /// Maps va at `level` with a leaf descriptor of these attributes; returns the leaf's address.
    u64 map(u64 va, unsigned level, u64 output, u64 attributes, u64 table_attributes = 0) {
        u64 table = kRoot;
        for (unsigned at = start_level();; ++at) {
            const unsigned high = at == start_level() ? input_bits : low_bit(at) + granule - 3;
            const u64 entry = table + bits(va, high - 1, low_bit(at)) * 8;
            if (at == level) {
                cpu.bus.set(entry, output | attributes | (level == 3 ? 3 : 1));
                return entry;
            }
            if (cpu.bus.get(entry) == 0) {
                cpu.bus.set(entry, next_table | table_attributes | 3);
                next_table += u64{1} << granule;
            }
            table = cpu.bus.get(entry) & ones(48) & ~ones(granule);
        }
    }

    WalkResult look(u64 va, AccessKind kind = AccessKind::Load, Regime regime = Regime::Kernel) {
        return walk(s, cpu.bus, va, {.kind = kind, .regime = regime});
    }
    void expect_fault(const WalkResult &result, FaultStatus status, unsigned level) {
        EXPECT_TRUE(result.faults);
        EXPECT_EQ(result.status, static_cast<unsigned>(status) | level);
    }

    TestCpu cpu;
    ArmState &s = *cpu.state;
    unsigned granule = 12, input_bits = 48;
    u64 next_table = 0;
};

TEST_F(MmuTest, EveryGranuleAndLevelTranslates) {
    for (const unsigned granule_bits : {12u, 14u, 16u}) {
        for (const unsigned input : {48u, 39u, 36u, 30u, 25u}) {
            for (unsigned level = 1; level <= 3; ++level) {
                if (level == 1 && granule_bits != 12) continue;
                for (const bool upper : {false, true}) {
                    cpu.bus = TestBus();
                    configure(granule_bits, input);
                    if (level < start_level()) continue;
                    const u64 size = u64{1} << low_bit(level);
                    const u64 offset = (0x123456789abcu & (size - 1)) & ~7u;
                    const u64 in_range = align_down(0x5555'5555'5555u & ones(input), size);
                    const u64 va = (upper ? ~ones(input) : 0) | in_range | offset;
                    const u64 output = align_down(0x7812'3456'7000u, size);
                    map(va, level, output, kAf | 2 << 2);
                    const WalkResult result = look(va);
                    ASSERT_FALSE(result.faults) << granule_bits << ' ' << input << ' ' << level
                                                << ' ' << int{result.status};
                    EXPECT_EQ(result.physical, output + offset);
                    EXPECT_EQ(result.mapping.size_log2, low_bit(level));
                    EXPECT_TRUE(result.mapping.global);
                    EXPECT_FALSE(result.mapping.device);
                    EXPECT_EQ(result.attributes, 0xff);
                }
            }
        }
    }
}

TEST_F(MmuTest, TranslationFaultsNameTheirLevel) {
    for (const unsigned granule_bits : {12u, 14u, 16u}) {
        configure(granule_bits, 48);
        for (unsigned level = start_level(); level <= 3; ++level) {
            cpu.bus = TestBus();
            configure(granule_bits, 48);
            const u64 va = 0x12345678000;
            const u64 leaf = map(va, level, 0, kAf);
            cpu.bus.set(leaf, 0);
            expect_fault(look(va), FaultStatus::Translation, level);
            // Reserved encodings: a page descriptor of type 1, a block where none may be.
            cpu.bus.set(leaf, kAf | 1);
            const bool block_allowed = level == 2 || (level == 1 && granule_bits == 12);
            if (!block_allowed) expect_fault(look(va), FaultStatus::Translation, level);
        }
    }
}

TEST_F(MmuTest, AddressesOutsideTheHalvesFaultAtLevel0) {
    configure(12, 39);
    expect_fault(look(u64{1} << 39), FaultStatus::Translation, 0);
    expect_fault(look(u64{1} << 63), FaultStatus::Translation, 0);
    expect_fault(look(~ones(40)), FaultStatus::Translation, 0);
    map(0x1000, 3, 0x40000000, kAf);
    expect_fault(look(0x5a00000000001000), FaultStatus::Translation, 0);
    cpu.sysreg(reg::TCR_EL1) |= u64{1} << 37; // TBI0
    EXPECT_FALSE(look(0x5a00000000001000).faults);
    cpu.sysreg(reg::TCR_EL1) |= u64{1} << 51; // TBID0
    EXPECT_FALSE(look(0x5a00000000001000).faults);
    expect_fault(look(0x5a00000000001000, AccessKind::Execute), FaultStatus::Translation, 0);
    cpu.sysreg(reg::TCR_EL1) |= u64{1} << 55; // E0PD0
    EXPECT_FALSE(look(0x1000).faults);
    expect_fault(look(0x1000, AccessKind::Load, Regime::User), FaultStatus::Translation, 0);
    cpu.sysreg(reg::TCR_EL1) |= 1u << 7; // EPD0
    expect_fault(look(0x1000), FaultStatus::Translation, 0);
}

TEST_F(MmuTest, AddressSizeFaults) {
    cpu.sysreg(reg::TCR_EL1) &= ~(u64{7} << 32); // 32-bit outputs
    const u64 leaf = map(0x1000, 3, u64{1} << 33, kAf);
    expect_fault(look(0x1000), FaultStatus::AddressSize, 3);
    cpu.bus.set(leaf, 0);
    cpu.bus.set(kRoot, (u64{1} << 34) | 3);
    expect_fault(look(0x1000), FaultStatus::AddressSize, 0);
    cpu.sysreg(reg::TTBR0_EL1) = u64{1} << 35;
    expect_fault(look(0x1000), FaultStatus::AddressSize, 0);
}

TEST_F(MmuTest, WalksOutsideMemoryAbort) {
    cpu.sysreg(reg::TTBR0_EL1) = 0x1000;
    expect_fault(look(0x1000), FaultStatus::ExternalAbortOnWalk, 0);
}

TEST_F(MmuTest, AccessFlag) {
    const u64 leaf = map(0x200000, 2, 0x40000000, 0);
    expect_fault(look(0x200000), FaultStatus::AccessFlag, 2);
    cpu.sysreg(reg::TCR_EL1) |= u64{1} << 39; // HA
    EXPECT_FALSE(look(0x200000).faults);
    EXPECT_EQ(cpu.bus.get(leaf) & kAf, kAf);
    EXPECT_EQ(cpu.bus.written, std::pair(leaf, u64{8})) << "code there is void, the page dirty";
}

TEST_F(MmuTest, DirtyStateIsManagedByHardware) {
    const u64 leaf = map(0x1000, 3, 0x40000000, kAf | kReadOnly | kDbm);
    expect_fault(look(0x1000, AccessKind::Store), FaultStatus::Permission, 3);
    cpu.sysreg(reg::TCR_EL1) |= u64{3} << 39; // HA, HD
    WalkResult result = look(0x1000);
    EXPECT_FALSE(result.faults);
    EXPECT_FALSE(result.mapping.writable);
    EXPECT_NE(cpu.bus.get(leaf) & kReadOnly, 0u);
    result = look(0x1000, AccessKind::Store);
    EXPECT_FALSE(result.faults);
    EXPECT_TRUE(result.mapping.writable);
    EXPECT_EQ(cpu.bus.get(leaf) & kReadOnly, 0u);
    // A refused store leaves the descriptor alone.
    cpu.bus.set(leaf, cpu.bus.get(leaf) | kReadOnly);
    expect_fault(look(0x1000, AccessKind::Store, Regime::User), FaultStatus::Permission, 3);
    EXPECT_NE(cpu.bus.get(leaf) & kReadOnly, 0u);
}

TEST_F(MmuTest, Permissions) {
    struct Case {
        u64 attributes;
        Regime regime;
        bool read, write, execute;
    };
    const Case cases[] = {
        {0, Regime::Kernel, true, true, true},
        {0, Regime::User, false, false, true},
        {kUxn, Regime::User, false, false, false},
        {kUser, Regime::Kernel, true, true, false},
        {kUser, Regime::KernelNoUser, false, false, false},
        {kUser, Regime::User, true, true, true},
        {kReadOnly, Regime::Kernel, true, false, true},
        {kReadOnly | kPxn, Regime::Kernel, true, false, false},
        {kUser | kReadOnly, Regime::Kernel, true, false, true},
        {kUser | kReadOnly, Regime::KernelNoUser, false, false, true},
        {kUser | kReadOnly, Regime::User, true, false, true},
    };
    for (const Case &c : cases) {
        map(0x1000, 3, 0x40000000, kAf | kNg | c.attributes);
        EXPECT_EQ(!look(0x1000, AccessKind::Load, c.regime).faults, c.read) << c.attributes;
        EXPECT_EQ(!look(0x1000, AccessKind::Store, c.regime).faults, c.write) << c.attributes;
        EXPECT_EQ(!look(0x1000, AccessKind::Execute, c.regime).faults, c.execute) << c.attributes;
    }
    cpu.sysreg(reg::SCTLR_EL1) |= 1u << 19; // WXN
    map(0x1000, 3, 0x40000000, kAf);
    EXPECT_TRUE(look(0x1000, AccessKind::Execute).faults);
    map(0x1000, 3, 0x40000000, kAf | kUser);
    EXPECT_TRUE(look(0x1000, AccessKind::Execute, Regime::User).faults);
}

TEST_F(MmuTest, HierarchicalPermissions) {
    map(0x1000, 3, 0x40000000, kAf | kUser, u64{1} << 62); // APTable: read-only
    expect_fault(look(0x1000, AccessKind::Store), FaultStatus::Permission, 3);
    EXPECT_FALSE(look(0x1000, AccessKind::Load, Regime::User).faults);
    cpu.bus = TestBus();
    map(0x1000, 3, 0x40000000, kAf | kUser, u64{1} << 61); // no EL0
    expect_fault(look(0x1000, AccessKind::Load, Regime::User), FaultStatus::Permission, 3);
    cpu.sysreg(reg::TCR_EL1) |= u64{1} << 41; // HPD0
    EXPECT_FALSE(look(0x1000, AccessKind::Load, Regime::User).faults);
}

TEST_F(MmuTest, FlatWhenDisabled) {
    cpu.sysreg(reg::SCTLR_EL1) &= ~u64{1};
    const WalkResult result = look(0x12345678, AccessKind::Store);
    EXPECT_EQ(result.physical, 0x12345678u);
    EXPECT_TRUE(result.mapping.device);
    expect_fault(look(u64{1} << 50), FaultStatus::AddressSize, 0);
}

TEST_F(MmuTest, AbortsReachTheSyndromeRegisters) {
    ir::PageMapping mapping;
    cpu.sysreg(reg::VBAR_EL1) = 0x8000;
    EXPECT_FALSE(cpu.mmu.translate(s, 0xdead0008, Regime::Kernel, AccessKind::Store, mapping));
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1), 0x25u << 26 | 1u << 25 | 1u << 6 | 4);
    EXPECT_EQ(cpu.sysreg(reg::FAR_EL1), 0xdead0008u);
    EXPECT_EQ(cpu.sysreg(reg::ELR_EL1), 0x1000u);
    EXPECT_EQ(s.pc, 0x8200u);
    cpu.enter_el0();
    s.pc = 0xdead0000;
    EXPECT_FALSE(cpu.mmu.translate(s, s.pc, Regime::User, AccessKind::Execute, mapping));
    EXPECT_EQ(cpu.sysreg(reg::ESR_EL1), 0x20u << 26 | 1u << 25 | 4);
    EXPECT_EQ(cpu.sysreg(reg::ELR_EL1), 0xdead0000u);
}

TEST_F(MmuTest, AddressTranslationInstructions) {
    map(0x1000, 3, 0x40005000, kAf | kReadOnly | 2 << 2 | 3 << 8);
    const auto at = [&](unsigned op2) {
        const u64 encoding = sysreg_encoding(1, 0, 7, 8, op2);
        a64::system_instruction(s, 0x1234, 0, 0, 0, encoding);
        return cpu.sysreg(reg::PAR_EL1);
    };
    EXPECT_EQ(at(0), u64{0xff} << 56 | 0x40005000 | 3 << 7 | 1 << 9 | 1 << 11);
    EXPECT_EQ(at(1), 1u << 11 | 0xf << 1 | 1); // read-only
    EXPECT_EQ(at(2), 1u << 11 | 0xf << 1 | 1); // no EL0 access
    EXPECT_EQ(s.pending_exit, ir::PendingExit::None);
}

TEST_F(MmuTest, TlbMaintenanceDecodesItsOperand) {
    using Scope = ir::TlbInvalidation::Scope;
    const auto tlbi = [&](unsigned crm, unsigned op2, u64 operand) {
        cpu.tlb.invalidations.clear();
        a64::system_instruction(s, operand, 0, 0, 0, sysreg_encoding(1, 0, 8, crm, op2));
        return cpu.tlb.invalidations.empty() ? ir::TlbInvalidation{} : cpu.tlb.invalidations[0];
    };
    cpu.sysreg(reg::TCR_EL1) |= u64{1} << 36; // 16-bit ASIDs
    const ir::TlbInvalidation va = tlbi(3, 5, u64{0x1234} << 48 | 0xf'ffff'0000'123);
    EXPECT_EQ(va.scope, Scope::Range);
    EXPECT_TRUE(va.broadcast);
    EXPECT_TRUE(va.last_level_only);
    EXPECT_EQ(va.asid, 0x1234);
    EXPECT_EQ(va.va, static_cast<u64>(sign_extend(0xf'ffff'0000'123, 44)) << 12);
    EXPECT_EQ(tlbi(7, 0, 0).scope, Scope::All);
    EXPECT_EQ(tlbi(7, 2, u64{7} << 48).asid, 7);
    // RVAE1IS: 4 KiB granule, SCALE 1, NUM 2: (2 + 1) << 6 pages.
    const u64 range = u64{1} << 46 | u64{1} << 44 | u64{2} << 39 | 0x1000;
    const ir::TlbInvalidation r = tlbi(2, 1, range);
    EXPECT_EQ(r.va, 0x1000000u);
    EXPECT_EQ(r.pages, 192u);
    EXPECT_EQ(s.tlb_maintenance_pending, 1u);
    EXPECT_EQ(s.fetch_stale, 1u);
    a64::data_barrier(s, 0, 0, 0, 0, 0);
    a64::instruction_barrier(s, 0, 0, 0, 0, 0);
    EXPECT_EQ(cpu.tlb.completions, 1);
    EXPECT_EQ(s.tlb_maintenance_pending + s.fetch_stale, 0u);
    EXPECT_EQ(s.pc, 0x1008u);
}

TEST_F(MmuTest, GuardedPagesTurnOnBranchTypeTracking) {
    map(0x1000, 3, 0x40000000, kAf | u64{1} << 50);
    ir::PageMapping mapping;
    EXPECT_FALSE(cpu.mmu.translate(s, 0x1000, Regime::Kernel, AccessKind::Execute, mapping));
    EXPECT_TRUE(Mode{s.mode}.has(Mode::kBtypeTracked));
    EXPECT_EQ(s.pc, 0x1000u);
    EXPECT_TRUE(cpu.mmu.translate(s, 0x1000, Regime::Kernel, AccessKind::Execute, mapping));
    EXPECT_EQ(mapping.mode_bits, Mode::kGuardedPage);
}

} // namespace
} // namespace tandem::arm
