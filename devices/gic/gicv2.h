#pragma once
/// GICv2 interrupt controller (IHI 0048B) for up to eight CPUs, without the Security Extensions and
/// the Virtualization Extensions. Registers are banked by the vCPU that accesses them.
///
/// Locks: one mutex over everything.
#include "devices/core/further_frame.h"
#include "devices/core/irq_line.h"
#include "devices/core/vcpu_identity.h"
#include "devices/gic/cpu_interrupt_sink.h"
#include "devices/gic/cpu_priority.h"
#include "support/address.h"

#include <mutex>
#include <vector>

namespace tandem::devices {

struct GicV2CpuState {
    InterruptBank bank; ///< SGIs and PPIs; an SGI is latched while a source is pending
    std::array<u8, 16> sgi_sources{}; ///< of each SGI: the CPUs that sent it
    CpuPriority priority;
    u32 control = 0; ///< GICC_CTLR

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.bank, self.sgi_sources, self.priority, self.control);
    }
};

struct GicV2State {
    static constexpr u32 kVersion = 1;

    u32 control = 0;                 ///< GICD_CTLR
    std::vector<InterruptBank> spis; ///< from INTID 32
    std::vector<u8> targets;         ///< GICD_ITARGETSR of each SPI
    std::vector<GicV2CpuState> cpus;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.control, self.spis, self.targets, self.cpus);
    }
};

class GicV2 final : public IrqSink {
public:
    static constexpr u32 kMaxCpus = 8;
    static constexpr u64 kDistributorSize = 0x1000;
    static constexpr u64 kCpuInterfaceSize = 0x2000;

    /// spi_count: a multiple of 32, up to 960.
    GicV2(u32 cpus, u32 spi_count, const VcpuIdentity &, CpuInterruptSink &);

    /// For the memory map. The distributor resets, saves and restores the whole GIC.
    [[nodiscard]] MmioDevice &distributor() { return distributor_; }
    [[nodiscard]] MmioDevice &cpu_interface() { return cpu_interface_; }
    /// Adds the node, ready for children; its phandle is the board's interrupt-parent.
    FdtNode &describe(FdtNode &parent, GuestPhysAddr distributor,
                      GuestPhysAddr cpu_interface) const;

    // Wires. Any thread.
    void set_level(u32 spi, bool level) override; ///< spi is INTID - 32
    void set_ppi(u32 cpu, u32 intid, bool level); ///< intid is 16..31

    void reset();
    void save(StateWriter &) const;
    [[nodiscard]] Result<> restore(StateReader &);

private:
    class Distributor final : public MmioDevice {
    public:
        explicit Distributor(GicV2 &gic) : gic_(gic) {}
        [[nodiscard]] std::string_view name() const override { return "gicv2"; }
        [[nodiscard]] u64 size() const override { return kDistributorSize; }
        [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
        [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
        void reset() override { gic_.reset(); }
        void save(StateWriter &writer) const override { gic_.save(writer); }
        [[nodiscard]] Result<> restore(StateReader &reader) override {
            return gic_.restore(reader);
        }
        /// The board describes the GIC as a whole, with GicV2::describe().
        void describe(FdtNode &, const FdtPlacement &) const override {}

    private:
        [[nodiscard]] u32 read_word(u32 offset) const;
        void write_word(u32 offset, u32 value);
        [[nodiscard]] u8 read_target(u32 intid, u32 cpu) const;
        void write_bank(u32 cpu, BankAddress, unsigned size_log2, u64 value);
        GicV2 &gic_;
    };

    class CpuInterface final : public FurtherFrame {
    public:
        explicit CpuInterface(GicV2 &gic) : gic_(gic) {}
        [[nodiscard]] std::string_view name() const override { return "gicv2-cpu-interface"; }
        [[nodiscard]] u64 size() const override { return kCpuInterfaceSize; }
        [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
        [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;

    private:
        [[nodiscard]] u32 read_word(u32 cpu, u32 offset);
        void write_word(u32 cpu, u32 offset, u32 value);
        GicV2 &gic_;
    };

    struct Lines {
        bool irq = false, fiq = false;
    };

    // All with the mutex held.
    [[nodiscard]] u32 current_cpu() const;
    [[nodiscard]] InterruptBank &bank_of(u32 cpu, u32 index) {
        return index == 0 ? cpus_[cpu].bank : spis_[index - 1];
    }
    [[nodiscard]] u32 bank_count() const { return static_cast<u32>(spis_.size()) + 1; }
    /// SPIs of the bank (index from 1) that target the CPU.
    [[nodiscard]] u32 targeting(u32 cpu, u32 bank_index) const;
    [[nodiscard]] PendingInterrupt best(u32 cpu) const;
    void update(u32 cpu);
    void update_all();
    void set_sgi_sources(u32 cpu, u32 sgi, u8 sources);
    void send_sgi(u32 cpu, u32 value);
    /// IAR and AIAR: `alias` is the register for Group 1.
    [[nodiscard]] u32 acknowledge(u32 cpu, bool alias);
    [[nodiscard]] u32 highest_pending(u32 cpu, bool alias) const;
    /// What a read of IAR or HPPIR says of the interrupt: kNone, kGroup1Pending or its INTID.
    [[nodiscard]] u32 visible_intid(u32 cpu, const PendingInterrupt &, bool alias) const;
    void end_of_interrupt(u32 cpu, u32 value, bool alias);
    void deactivate(u32 cpu, u32 intid);

    const VcpuIdentity &identity_;
    CpuInterruptSink &sink_;
    mutable std::mutex mutex_;
    u32 control_ = 0;
    std::vector<InterruptBank> spis_;
    std::vector<u8> targets_;
    std::vector<GicV2CpuState> cpus_;
    std::vector<Lines> lines_;
    Distributor distributor_{*this};
    CpuInterface cpu_interface_{*this};
};

} // namespace tandem::devices
