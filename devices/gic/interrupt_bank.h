#pragma once
/// The state of 32 consecutive INTIDs, and the distributor registers that show it. GICv2 and GICv3
/// share it: GICD_* for SPIs, GICD_* banked or GICR_* for SGIs and PPIs.
#include "support/bits.h"

#include <algorithm>
#include <array>

namespace tandem::devices {

/// A register of the families that both architectures lay out alike (IHI 0048B table 4-1,
/// IHI 0069H table 12-25), found by decode_bank_register().
enum class BankRegister : u8 {
    IGROUPR,
    ISENABLER,
    ICENABLER,
    ISPENDR,
    ICPENDR,
    ISACTIVER,
    ICACTIVER,
    IPRIORITYR,
    ICFGR,
    None
};

struct BankAddress {
    BankRegister kind = BankRegister::None;
    u32 bank = 0; ///< INTID / 32
    u32 byte = 0; ///< within the bank's registers of this kind
};

[[nodiscard]] BankAddress decode_bank_register(u32 offset);

struct InterruptBank {
    /// Priority bits <7:3> are implemented: 32 levels, one active-priorities register per group.
    static constexpr u8 kPriorityMask = 0xf8;

    u32 group1 = 0; ///< Group 1, else Group 0
    u32 enabled = 0;
    u32 latched = 0; ///< pending because of an edge or a write
    u32 level = 0;   ///< the input wires
    u32 active = 0;
    u32 edge = 0; ///< edge-triggered, else level-sensitive
    std::array<u8, 32> priority{};

    [[nodiscard]] u32 pending() const { return latched | (level & ~edge); }
    /// Candidates for delivery. An interrupt that is active and pending waits until deactivated.
    [[nodiscard]] u32 ready() const { return pending() & enabled & ~active; }

    void set_level(u32 index, bool high) {
        const u32 mask = u32{1} << index;
        if (high && (level & mask) == 0) latched |= mask & edge;
        level = high ? level | mask : level & ~mask;
    }
    /// Acknowledge: pending becomes active; a level that is still high keeps it pending too.
    void activate(u32 index) {
        latched &= ~(u32{1} << index);
        active |= u32{1} << index;
    }
    void deactivate(u32 index) { active &= ~(u32{1} << index); }

    [[nodiscard]] u64 read(BankAddress, unsigned size_log2) const;
    /// ISPENDR and ICPENDR change only the INTIDs in `pendable`, ICFGR only those in
    /// `configurable`.
    void write(BankAddress, unsigned size_log2, u64 value, u32 pendable, u32 configurable);

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.group1, self.enabled, self.latched, self.level, self.active, self.edge,
                self.priority);
    }
};

/// The best candidate for a CPU: lower value is higher priority, ties go to the lower INTID.
struct PendingInterrupt {
    static constexpr u32 kNone = 1023; ///< also the INTID that IAR reads as when there is none
    static constexpr u32 kNoPriority = 0x100;

    u32 intid = kNone;
    u32 priority = kNoPriority;
    u32 group = 0;

    /// Takes the best of the bank's INTIDs in `candidates`.
    void consider(const InterruptBank &bank, u32 first_intid, u32 candidates) {
        while (candidates != 0) {
            const u32 index = static_cast<u32>(std::countr_zero(candidates));
            candidates &= candidates - 1;
            if (bank.priority[index] < priority)
                *this = {first_intid + index, bank.priority[index], (bank.group1 >> index) & 1};
        }
    }
};

} // namespace tandem::devices
