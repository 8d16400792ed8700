#pragma once
/// GICv3 interrupt controller (IHI 0069H): distributor, redistributors with affinity routing, and
/// the CPU interfaces' system registers. One security state; Groups 0 (FIQ) and 1 (IRQ). LPIs come
/// from an ITS (gicv3_its.h).
///
/// Locks. Each CPU has one, over its SGIs, PPIs, interface registers and best SPI; the distributor
/// has one, over all SPIs. Order: distributor before CPU, never two CPUs. So timers and SGIs never
/// meet the distributor's lock; whoever changes an SPI gives each affected CPU its new best SPI.
#include "devices/core/further_frame.h"
#include "devices/core/irq_line.h"
#include "devices/gic/cpu_interrupt_sink.h"
#include "devices/gic/gicv3_state.h"
#include "support/address.h"

#include <memory>
#include <mutex>
#include <vector>

namespace tandem::devices {

struct GicV3Config {
    u32 spi_count = 256;         ///< a multiple of 32, up to 960
    std::vector<u32> affinities; ///< of each CPU: Aff3.Aff2.Aff1.Aff0, a byte each, as in MPIDR_EL1
    DmaSpace *memory = nullptr;  ///< holds the guest's LPI tables; null: no LPIs
};

class GicV3 final : public IrqSink {
public:
    static constexpr u64 kDistributorSize = 0x10000;
    static constexpr u64 kRedistributorSize = 0x20000; ///< for each CPU

    GicV3(GicV3Config, CpuInterruptSink &);

    /// For the memory map. The distributor resets, saves, restores and describes the whole GIC.
    [[nodiscard]] MmioDevice &distributor() { return distributor_; }
    [[nodiscard]] MmioDevice &redistributors() { return redistributors_; }
    /// Adds the node, ready for children; its phandle is the board's interrupt-parent.
    FdtNode &describe(FdtNode &parent, GuestPhysAddr distributor,
                      GuestPhysAddr redistributors) const;

    // Wires. Any thread.
    void set_level(u32 spi, bool level) override; ///< spi is INTID - 32
    void set_ppi(u32 cpu, u32 intid, bool level); ///< intid is 16..31

    // LPIs, for the ITS. Any thread; CPUs and INTIDs that there are not are ignored.
    [[nodiscard]] u32 cpu_count() const { return static_cast<u32>(cpus_.size()); }
    void pend_lpi(u32 cpu, u32 intid);
    void clear_lpi(u32 cpu, u32 intid);
    void move_lpi(u32 from, u32 to, u32 intid); ///< its pending state
    void move_lpis(u32 from, u32 to);
    void reread_lpi(u32 cpu, u32 intid); ///< its configuration has changed
    void reread_lpis(u32 cpu);

    // CPU interface; called on the CPU's own thread. Group is 0 or 1.
    [[nodiscard]] u32 acknowledge(u32 cpu, u32 group);           ///< IAR
    void end_of_interrupt(u32 cpu, u32 group, u64 intid);        ///< EOIR
    void deactivate(u32 cpu, u64 intid);                         ///< DIR
    [[nodiscard]] u32 highest_pending(u32 cpu, u32 group) const; ///< HPPIR
    void send_sgi(u32 cpu, u32 group, u64 value);                ///< SGI0R, SGI1R

    /// Any ICC_* register, by op0<1:0>:op1:CRn:CRm:op2. False: UNDEFINED.
    [[nodiscard]] bool read_system_register(u32 cpu, u32 encoding, u64 &value);
    [[nodiscard]] bool write_system_register(u32 cpu, u32 encoding, u64 value);

    void reset();
    void save(StateWriter &) const;
    [[nodiscard]] Result<> restore(StateReader &);

private:
    struct alignas(64) Cpu {
        mutable std::mutex mutex;
        GicV3CpuState state;
        PendingInterrupt best_spi;  ///< among the SPIs that target this CPU
        PendingInterrupt best;      ///< of all, in groups enabled here and in the distributor
        u32 distributor_groups = 0; ///< copy of GICD_CTLR.EnableGrp0 and 1
        bool irq = false, fiq = false;
    };

    class Distributor final : public MmioDevice {
    public:
        explicit Distributor(GicV3 &gic) : gic_(gic) {}
        [[nodiscard]] std::string_view name() const override { return "gicv3"; }
        [[nodiscard]] u64 size() const override { return kDistributorSize; }
        [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
        [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
        void reset() override { gic_.reset(); }
        void save(StateWriter &writer) const override { gic_.save(writer); }
        [[nodiscard]] Result<> restore(StateReader &reader) override {
            return gic_.restore(reader);
        }
        /// The board describes the GIC as a whole, with GicV3::describe().
        void describe(FdtNode &, const FdtPlacement &) const override {}

    private:
        [[nodiscard]] u32 read_word(u32 offset) const;
        void write_word(u32 offset, u32 value);
        [[nodiscard]] u64 read_route(u32 offset, unsigned size_log2) const;
        void write_route(u32 offset, unsigned size_log2, u64 value);
        GicV3 &gic_;
    };

    class Redistributors final : public FurtherFrame {
    public:
        explicit Redistributors(GicV3 &gic) : gic_(gic) {}
        [[nodiscard]] std::string_view name() const override { return "gicv3-redistributors"; }
        [[nodiscard]] u64 size() const override { return gic_.cpus_.size() * kRedistributorSize; }
        [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
        [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;

    private:
        [[nodiscard]] u32 read_control_frame(u32 cpu, u32 offset) const;
        void write_control_frame(u32 index, u32 offset, u32 value);
        GicV3 &gic_;
    };

    [[nodiscard]] static u32 enabled_groups(const Cpu &cpu) {
        return cpu.distributor_groups &
               (u32{cpu.state.group_enabled[0]} | u32{cpu.state.group_enabled[1]} << 1);
    }
    /// INTIDs of a bank whose group is in `groups` (bit 0: Group 0, bit 1: Group 1).
    [[nodiscard]] static u32 in_groups(const InterruptBank &bank, u32 groups) {
        return ((groups & 2) != 0 ? bank.group1 : 0) | ((groups & 1) != 0 ? ~bank.group1 : 0);
    }

    /// Recomputes `best` and the output lines. Holds the CPU's lock.
    void update(u32 index, Cpu &cpu);
    void update_lines(u32 index, Cpu &cpu);
    /// Gives the CPU its best SPI and updates it. Holds the distributor's lock and the CPU's.
    void refresh_spis(u32 index, Cpu &cpu);
    /// Refreshes the CPUs an SPI may be for. Hold the distributor's lock only.
    void refresh_targets(u32 spi);
    void refresh_all();
    /// The CPU with the affinity, or kNoCpu.
    [[nodiscard]] u32 find_cpu(u32 affinity) const;
    [[nodiscard]] u32 target_of_route(u64 route) const;
    /// Whether the SPI is for this CPU. Holds the distributor's lock.
    [[nodiscard]] bool takes_spi(u32 index, u32 spi) const;
    [[nodiscard]] u32 take_spi(u32 index, u32 group);
    /// Acknowledges an interrupt of the CPU's own: SGI, PPI or LPI. Holds the CPU's lock.
    void take_private(u32 index, Cpu &cpu, const PendingInterrupt &);
    void pend_sgi(u32 index, u32 group, u32 intid);
    void set_group_enable(u32 index, u32 group, bool enabled);
    void write_spi_bank(BankAddress, unsigned size_log2, u64 value);
    void write_control(u32 value);

    static constexpr u32 kMaxCpus = 64;
    static constexpr u32 kNoCpu = ~u32{0};
    static constexpr u32 kAnyCpu = kNoCpu - 1;
    static constexpr u64 kRouteAny = u64{1} << 31; ///< GICD_IROUTER.Interrupt_Routing_Mode
    static constexpr u64 kRouteMask = 0xff'80ff'ffff;

    std::vector<u32> affinities_;
    u32 spi_count_;
    CpuInterruptSink &sink_;
    DmaSpace *memory_;
    std::vector<std::unique_ptr<Cpu>> cpus_;

    mutable std::mutex mutex_; ///< the distributor's
    u32 control_ = 0;
    std::vector<InterruptBank> spis_;
    std::vector<u64> routes_;
    std::vector<u32> targets_;        ///< CPU of each SPI by its route: an index, kNoCpu or kAnyCpu
    std::array<u64, 2> group_cpus_{}; ///< CPUs whose interface has enabled the group

    Distributor distributor_{*this};
    Redistributors redistributors_{*this};
};

} // namespace tandem::devices
