#pragma once
/// The architectural state of a CPU as snapshots keep it: nothing of tiers, TLBs or the host. The
/// exclusive monitor is left out; a restored CPU has none, so that a store exclusive that was under
/// way fails once (Arm ARM B2.12 lets monitors be cleared at any time).
#include "frontend-arm/state/arm_state.h"
#include "support/result.h"

#include <vector>

namespace tandem::arm {

struct SavedCpu {
    static constexpr u32 kVersion = 1;

    struct Register {
        u16 encoding = 0; ///< as sysreg_encoding() makes it
        u64 value = 0;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.encoding, self.value);
        }
    };

    std::array<u64, 31> x{};
    std::array<u64, 2> sp{}; ///< SP_EL0, SP_EL1
    u64 pc = 0;
    u64 pstate = 0; ///< as SPSR_EL1 would have it
    u8 tco = 0;
    u32 fpcr = 0, fpsr = 0;
    std::array<std::array<u64, 2>, 32> v{};
    bool event = false; ///< WFE's event register
    bool guarded_page_seen = false;
    u64 retired = 0; ///< instructions: what PMU counters are relative to
    bool pmu_filtered = false;
    u32 pmu_running = 0;
    std::array<u64, kPmuCounters + 1> pmu_base{};
    std::vector<Register> registers; ///< all system registers

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.x, self.sp, self.pc, self.pstate, self.tco, self.fpcr, self.fpsr, self.v,
                self.event, self.guarded_page_seen, self.retired, self.pmu_filtered,
                self.pmu_running, self.pmu_base, self.registers);
    }
};

/// Between instructions, outside a slice.
[[nodiscard]] SavedCpu save_cpu(const ArmState &);
/// Into a CPU that is in its reset state. Its model must have the identification registers of the
/// saved one. Timers and the PMU have to be polled afterwards, once interrupts can be delivered.
[[nodiscard]] Result<> restore_cpu(ArmState &, const SavedCpu &);

} // namespace tandem::arm
