#pragma once
/// Generic PCI Express host bridge (ECAM, as the device tree's pci-host-ecam-generic): bus 0 with
/// its devices, configuration space, and windows into PCI memory space. Addresses are the same on
/// both sides of the bridge.
#include "devices/core/fdt_node.h"
#include "devices/core/further_frame.h"
#include "devices/core/msi_sink.h"
#include "devices/pcie/pci_function.h"

#include <shared_mutex>
#include <vector>

namespace tandem::devices {

class PcieHostBridge final : private PciBus {
public:
    static constexpr u32 kDevices = 32;
    static constexpr u32 kInterrupts = 4;
    static constexpr u64 kBusSize = u64{1} << 20; ///< of configuration space for each bus

    struct Range {
        u64 base = 0, size = 0;
    };
    struct Config {
        Range ecam; ///< its size says how many buses there are
        Range memory, io, high_memory;
        u32 first_spi = 0; ///< of four for INTA to INTD
    };

    /// `irq` takes inputs first_spi to first_spi + 3. `msi` may be null: messages go nowhere.
    PcieHostBridge(const Config &, IrqSink &irq, MsiSink *msi);
    ~PcieHostBridge() override;

    /// Plugs a function into the lowest free device number of bus 0; false: there is none. Before
    /// the machine starts.
    [[nodiscard]] bool add(std::unique_ptr<PciFunction>);

    // For the memory map. The ECAM frame resets, saves, restores, pauses all functions.
    [[nodiscard]] MmioDevice &ecam() { return ecam_; }
    [[nodiscard]] MmioDevice &memory() { return memory_; }
    [[nodiscard]] MmioDevice &io() { return io_; }
    [[nodiscard]] MmioDevice &high_memory() { return high_memory_; }

    /// The phandles of the interrupt controller and of its MSI doorbell; 0: no MSIs.
    void describe(FdtNode &parent, u32 interrupt_parent, u32 msi_parent) const;

private:
    class Ecam final : public MmioDevice {
    public:
        explicit Ecam(PcieHostBridge &bridge) : bridge_(bridge) {}
        [[nodiscard]] std::string_view name() const override { return "pcie-ecam"; }
        [[nodiscard]] u64 size() const override { return bridge_.layout_.ecam.size; }
        [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
        [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
        void reset() override;
        void save(StateWriter &) const override;
        [[nodiscard]] Result<> restore(StateReader &) override;
        void pause() override;
        void resume() override;
        /// The board describes the bridge as a whole, with PcieHostBridge::describe().
        void describe(FdtNode &, const FdtPlacement &) const override {}

    private:
        PcieHostBridge &bridge_;
    };

    /// What the CPUs see of PCI memory or I/O space.
    class Window final : public FurtherFrame {
    public:
        enum class Space : u8 { Memory, Io };
        Window(PcieHostBridge &bridge, std::string_view name, const Range &range, Space space)
            : bridge_(bridge), name_(name), range_(range), space_(space) {}
        [[nodiscard]] std::string_view name() const override { return name_; }
        [[nodiscard]] u64 size() const override { return range_.size; }
        [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
        [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;

    private:
        PcieHostBridge &bridge_;
        std::string_view name_;
        const Range &range_;
        Space space_;
    };

    /// A base address register that is enabled.
    struct Mapped {
        u64 base = 0, size = 0;
        PciFunction *function = nullptr;
        u32 bar = 0;
    };

    void mapping_changed() override;
    void set_interrupt(u32 device, bool level) override;
    void send_message(u32 device, u64 address, u32 data) override;

    [[nodiscard]] PciFunction *function_at(u64 ecam_offset) const;
    /// Who claims an address of memory space; nobody claims I/O space.
    [[nodiscard]] Mapped find(u64 address) const;

    Config layout_;
    MsiSink *msi_;
    std::array<std::unique_ptr<PciFunction>, kDevices> functions_;

    mutable std::shared_mutex map_mutex_;
    std::vector<Mapped> map_;

    std::mutex interrupt_mutex_;
    std::array<IrqLine, kInterrupts> lines_;
    std::array<u32, kInterrupts> asserted_{}; ///< of each line: the devices that ask for it

    Ecam ecam_{*this};
    Window memory_{*this, "pcie-memory", layout_.memory, Window::Space::Memory};
    Window io_{*this, "pcie-io", layout_.io, Window::Space::Io};
    Window high_memory_{*this, "pcie-high-memory", layout_.high_memory, Window::Space::Memory};
};

} // namespace tandem::devices
