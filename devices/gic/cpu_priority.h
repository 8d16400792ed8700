#pragma once
/// The priority arithmetic of one CPU interface, the same in GICv2 and GICv3 with five priority
/// bits and one security state: group priorities, running priority, preemption.
#include "devices/gic/interrupt_bank.h"

namespace tandem::devices {

struct CpuPriority {
    static constexpr u8 kIdle = 0xff;
    /// IHI 0069H, ICC_BPR0_EL1: the minimum is 7 minus the number of preemption bits (5);
    /// ICC_BPR1_EL1: one more, for accesses that are not Secure.
    static constexpr std::array<u8, 2> kMinimumBinaryPoint{2, 3};

    u8 mask = 0;                                          ///< PMR
    std::array<u8, 2> binary_point = kMinimumBinaryPoint; ///< BPR of Group 0, Group 1
    std::array<u32, 2> active{};      ///< AP0R0, AP1R0: bit n is priority n << 3
    bool common_binary_point = false; ///< CTLR.CBPR

    [[nodiscard]] u32 group_priority(u32 priority, u32 group) const {
        // IHI 0069H 4.8.6: Group 1's binary point n groups as Group 0's n - 1.
        const unsigned point =
            group == 0 || common_binary_point ? binary_point[0] : binary_point[1] - 1u;
        return priority & (~u32{0} << (point + 1));
    }
    [[nodiscard]] u32 running() const {
        const u32 all = active[0] | active[1];
        return all == 0 ? kIdle : static_cast<u32>(std::countr_zero(all)) << 3;
    }
    /// Whether the interrupt is signalled to the CPU now.
    [[nodiscard]] bool admits(const PendingInterrupt &interrupt) const {
        if (interrupt.priority >= mask) return false;
        const u32 all = active[0] | active[1];
        return all == 0 || group_priority(interrupt.priority, interrupt.group) < running();
    }
    void activate(const PendingInterrupt &interrupt) {
        active[interrupt.group] |= u32{1}
                                   << (group_priority(interrupt.priority, interrupt.group) >> 3);
    }
    /// Priority drop by an EOI of the group. False, and no effect, unless the highest active
    /// priority is the group's.
    [[nodiscard]] bool drop(u32 group) {
        const u32 mine = active[group], other = active[1 - group];
        if (mine == 0 || (other != 0 && std::countr_zero(other) < std::countr_zero(mine)))
            return false;
        active[group] = mine & (mine - 1);
        return true;
    }

    void set_mask(u64 value) { mask = static_cast<u8>(value) & InterruptBank::kPriorityMask; }
    [[nodiscard]] u64 read_binary_point(u32 group) const {
        // ICC_CTLR_EL1.CBPR: BPR1 then reads as BPR0 + 1, saturated to 7, and ignores writes.
        if (group == 1 && common_binary_point) return std::min(binary_point[0] + 1u, 7u);
        return binary_point[group];
    }
    void write_binary_point(u32 group, u64 value) {
        if (group == 1 && common_binary_point) return;
        binary_point[group] = std::max(static_cast<u8>(value & 7), kMinimumBinaryPoint[group]);
    }
    /// Makes restored values legal.
    void sanitize() {
        mask &= InterruptBank::kPriorityMask;
        for (u32 group = 0; group < 2; ++group)
            binary_point[group] =
                std::max(static_cast<u8>(binary_point[group] & 7), kMinimumBinaryPoint[group]);
    }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.mask, self.binary_point, self.active, self.common_binary_point);
    }
};

} // namespace tandem::devices
