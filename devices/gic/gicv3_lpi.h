#pragma once
/// The LPIs of one redistributor: which are pending, and what the guest configured for them
/// (IHI 0069H, chapter 5). Guarded by the CPU's lock.
#include "devices/core/dma_space.h"
#include "devices/gic/interrupt_bank.h"

#include <utility>
#include <vector>

namespace tandem::devices {

class LpiQueue {
public:
    static constexpr u32 kFirstIntid = 8192;
    static constexpr u32 kIntidBits = 16;
    static constexpr u32 kIntids = (1u << kIntidBits) - kFirstIntid;

    /// GICR_PROPBASER, GICR_PENDBASER and GICR_CTLR.EnableLPIs.
    u64 properties = 0, pending_table = 0;
    bool enabled = false;

    /// Takes over, or gives back, the pending bits in guest memory (IHI 0069H 5.1.2).
    void load_pending(DmaSpace &);
    void store_pending(DmaSpace &) const;

    void pend(u32 intid, DmaSpace &);
    void clear(u32 intid);
    /// The guest changed the configuration of one LPI, or of all.
    void reread(u32 intid, DmaSpace &);
    void reread_all(DmaSpace &);
    /// Takes all that are pending, for another redistributor.
    [[nodiscard]] std::vector<u32> take_all();
    [[nodiscard]] bool is_pending(u32 intid) const;

    /// The best that is enabled; lower values are higher priorities.
    [[nodiscard]] PendingInterrupt best() const;

    /// INTIDs that can be LPIs under the guest's GICR_PROPBASER.IDbits.
    [[nodiscard]] bool covers(u32 intid) const;

    /// Makes restored lists legal.
    void sanitize();

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.properties, self.pending_table, self.enabled, self.ready_, self.disabled_);
    }

private:
    [[nodiscard]] u8 configuration(u32 intid, DmaSpace &) const;
    void insert(u32 intid, u8 configuration);

    // Sorted. There are few at a time, so a list is quicker than a table.
    std::vector<u32> ready_;    ///< enabled: priority<31:24>, INTID
    std::vector<u32> disabled_; ///< INTIDs
};

} // namespace tandem::devices
