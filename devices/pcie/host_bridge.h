#pragma once
/// Generic PCI Express host bridge (ECAM, as the device tree's pci-host-ecam-generic): bus 0 with
/// its devices and root ports, configuration space, and windows into PCI memory space. Addresses
/// are the same on both sides of the bridge.
#include "devices/core/fdt_node.h"
#include "devices/core/further_frame.h"
#include "devices/core/msi_sink.h"
#include "devices/pcie/root_port.h"

#include <bitset>
#include <functional>
#include <shared_mutex>
#include <vector>

namespace tandem::devices {

class PcieHostBridge final : private PciBus {
public:
    static constexpr u32 kDevices = 32;
    static constexpr u32 kFunctions = 8; ///< of each device
    static constexpr u32 kMaxPorts = kFunctions;
    static constexpr u32 kInterrupts = 4;
    static constexpr u64 kBusSize = u64{1} << 20; ///< of configuration space for each bus

    struct Range {
        u64 base = 0, size = 0;
    };
    struct Config {
        Range ecam; ///< its size says how many buses there are
        Range memory, io, high_memory;
        u32 first_spi = 0; ///< of four for INTA to INTD
        u32 ports = 0;     ///< root ports, the functions of the last device
    };
    /// What the guest does with the slot of a port. Any thread, no lock held.
    using SlotListener = std::function<void(u32 port, SlotAnswer)>;

    /// `irq` takes inputs first_spi to first_spi + 3. `msi` may be null: messages go nowhere.
    PcieHostBridge(
        const Config &, IrqSink &irq, MsiSink *msi, const SlotListener & = [](u32, SlotAnswer) {});
    ~PcieHostBridge() override;

    /// Plugs a function into the lowest free device number of bus 0; false: there is none. Before
    /// the machine starts.
    [[nodiscard]] bool add(std::unique_ptr<PciFunction>);
    [[nodiscard]] u32 port_count() const { return static_cast<u32>(ports_.size()); }
    [[nodiscard]] RootPort &port(u32 index) { return *ports_[index]; }

    /// All functions; a port comes before what is behind it. Any thread, while nothing is plugged.
    [[nodiscard]] std::vector<PciFunctionView> views() const;

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

    /// A base address register that is enabled, or the part of it that a port forwards.
    struct Mapped {
        u64 base = 0, size = 0;
        PciFunction *function = nullptr;
        u32 bar = 0;
        u64 bar_base = 0;
    };

    void mapping_changed() override;
    void set_interrupt(u32 function, bool level) override;
    void send_message(u32 function, u64 address, u32 data) override;

    void place(std::unique_ptr<PciFunction>, u32 number);
    void map_bars(PciFunction &, const RootPort::Window &);
    [[nodiscard]] PciFunction *function_at(u64 ecam_offset) const;
    /// Who claims an address of memory space; nobody claims I/O space.
    [[nodiscard]] Mapped find(u64 address) const;

    Config layout_;
    MsiSink *msi_;
    std::vector<std::unique_ptr<PciFunction>> functions_; ///< all of bus 0
    std::array<PciFunction *, kDevices * kFunctions> numbered_{};
    std::vector<RootPort *> ports_;

    mutable std::shared_mutex map_mutex_; ///< guards the maps
    std::vector<Mapped> map_;
    static constexpr u32 kBuses = 256;
    std::array<PciFunction *, kBuses> behind_{}; ///< the one function of each further bus

    std::mutex interrupt_mutex_;
    std::array<IrqLine, kInterrupts> lines_;
    /// Of each line: the functions that ask for it.
    std::array<std::bitset<2 * kBehind>, kInterrupts> asserted_;

    Ecam ecam_{*this};
    Window memory_{*this, "pcie-memory", layout_.memory, Window::Space::Memory};
    Window io_{*this, "pcie-io", layout_.io, Window::Space::Io};
    Window high_memory_{*this, "pcie-high-memory", layout_.high_memory, Window::Space::Memory};
};

} // namespace tandem::devices
