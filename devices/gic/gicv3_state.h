#pragma once
/// Saved state of the GICv3.
#include "devices/gic/cpu_priority.h"
#include "devices/gic/gicv3_lpi.h"

#include <vector>

namespace tandem::devices {

struct GicV3CpuState {
    InterruptBank bank;                  ///< SGIs and PPIs
    CpuPriority priority;                ///< PMR, BPRs, APRs
    std::array<bool, 2> group_enabled{}; ///< IGRPEN0, IGRPEN1
    bool split_eoi = false;              ///< CTLR.EOImode: EOI drops the priority, DIR deactivates
    bool asleep = true;                  ///< WAKER.ProcessorSleep
    LpiQueue lpis;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.bank, self.priority, self.group_enabled, self.split_eoi, self.asleep,
                self.lpis);
    }
};

struct GicV3State {
    static constexpr u32 kVersion = 2;

    u32 control = 0;                 ///< the writable bits of GICD_CTLR
    std::vector<InterruptBank> spis; ///< from INTID 32
    std::vector<u64> routes;         ///< GICD_IROUTER of each SPI
    std::vector<GicV3CpuState> cpus;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.control, self.spis, self.routes, self.cpus);
    }
};

} // namespace tandem::devices
