#pragma once
/// One PCI function: configuration space, base address registers, INTx, MSI-X, and a reset of its
/// own. A device derives from it and serves its own base address registers.
///
/// Locks: one mutex over the function. Order: the bus's map before functions, functions before the
/// bus's interrupt lines. read_bar() and write_bar() are called with no lock held.
#include "devices/core/state.h"
#include "devices/pcie/config_space.h"
#include "devices/pcie/express.h"
#include "devices/pcie/msix.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace tandem::devices {

/// The bus a function is plugged into. Functions on it are known by device * 8 + function.
class PciBus {
public:
    static constexpr u32 kBehind = 0x100;

    virtual ~PciBus() = default;
    /// A base address or its enable bit changed. Called with no lock of a function held.
    virtual void mapping_changed() = 0;
    // Called with the function's mutex held:
    /// INTA of a function, or, with kBehind added, of what lies behind that bridge.
    virtual void set_interrupt(u32 function, bool level) = 0;
    /// Of a function, with bus * 256 added if it lies behind a bridge.
    virtual void send_message(u32 function, u64 address, u32 data) = 0;
    /// Whether what functions send upwards gets through.
    [[nodiscard]] virtual bool takes_requests() const { return true; }
    /// What a function on this bus is.
    [[nodiscard]] virtual express::Kind kind() const { return express::Kind::IntegratedEndpoint; }
};

struct PciIdentity {
    u16 vendor = 0, device = 0;
    u8 revision = 0;
    u32 class_code = 0; ///< base class, subclass, programming interface: a byte each
    u16 subsystem_vendor = 0, subsystem = 0;
};

/// What people and programs want to know of a function.
struct PciFunctionView {
    struct Bar {
        u32 index = 0;
        u64 size = 0;
        bool is_wide = false;         ///< 64 bits, prefetchable
        std::optional<u64> base = {}; ///< nothing while it is not enabled
    };
    struct Bridge {
        u32 secondary = 0, subordinate = 0;
        struct Window {
            u64 first = 0, last = 0;
        };
        std::array<std::optional<Window>, 2> windows; ///< ordinary and prefetchable memory
    };

    std::string name;
    u32 bus = 0, number = 0; ///< the number is device * 8 + function
    u32 vendor = 0, device = 0, subsystem_vendor = 0, subsystem = 0;
    u32 class_code = 0; ///< base class and subclass
    u32 interrupt_pin = 0, interrupt_line = 0;
    std::vector<Bar> bars = {};
    std::optional<Bridge> bridge = {};
};

class PciFunction {
public:
    static constexpr u32 kBarCount = 6;

    PciFunction(std::string name, const PciIdentity &, PciHeader = PciHeader::Type0);
    PciFunction(const PciFunction &) = delete;
    PciFunction &operator=(const PciFunction &) = delete;
    virtual ~PciFunction() = default;

    [[nodiscard]] const std::string &name() const { return name_; }
    /// Called once, before anything else.
    void connect(PciBus &bus, u32 function);

    /// Offsets are aligned to the access, which has at most four bytes.
    [[nodiscard]] virtual u32 read_config(u32 offset, unsigned size_log2);
    virtual void write_config(u32 offset, unsigned size_log2, u32 value);

    /// An access to a base address register's range, aligned and inside.
    [[nodiscard]] u64 read_bar(u32 bar, u64 offset, unsigned size_log2);
    void write_bar(u32 bar, u64 offset, unsigned size_log2, u64 value);

    struct Mapping {
        u64 base = 0, size = 0;
    };
    /// Where the register is in memory space; nothing while it is not enabled.
    [[nodiscard]] std::optional<Mapping> mapping(u32 bar) const;
    [[nodiscard]] PciFunctionView view() const;

    /// The bus takes requests, which it did not before. Called with no lock held.
    void bus_opened();

    /// Back to the state after power-on. Any thread, with no lock held: guests reset functions,
    /// too.
    virtual void reset();
    // As MmioDevice: while no vCPU runs.
    virtual void save(StateWriter &) const = 0;
    [[nodiscard]] virtual Result<> restore(StateReader &) = 0;
    virtual void pause() {}
    virtual void resume() {}

protected:
    struct State {
        std::vector<u8> config;
        Msix::State msix;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.config, self.msix);
        }
    };

    enum class BarKind : u8 { Memory32, Memory64 };
    /// A memory range of `size` bytes, a power of two from 16 on; a 64-bit one is prefetchable and
    /// takes the next register too. For constructors.
    void add_bar(u32 bar, u64 size, BarKind);
    void add_msix(u32 vectors, u32 bar);
    /// The function gets a PCI Express capability; connect() makes it what the bus wants.
    void add_express();
    [[nodiscard]] u32 express_capability() const { return express_capability_; }

    [[nodiscard]] virtual u64 read_own_bar(u32 bar, u64 offset, unsigned size_log2) = 0;
    virtual void write_own_bar(u32 bar, u64 offset, unsigned size_log2, u64 value) = 0;
    /// Bus mastering has been switched on; called with no lock held.
    virtual void bus_master_enabled() {}

    // With the mutex held.
    [[nodiscard]] bool is_bus_master() const {
        return (config_.get(pci::kCommand, 2) & pci::kCommandMaster) != 0 &&
               (bus_ == nullptr || bus_->takes_requests());
    }
    [[nodiscard]] bool uses_msix() const;
    [[nodiscard]] u32 vectors() const { return msix_ ? msix_->vectors() : 0; }
    void set_intx(bool level);
    void signal_vector(u32 vector);
    [[nodiscard]] State saved_function() const;
    [[nodiscard]] Result<> restore_function(const State &);
    /// Without it: after restore_function(), once the function is complete.
    void mapping_changed() const {
        if (bus_ != nullptr) bus_->mapping_changed();
    }
    void reset_function();
    [[nodiscard]] PciBus *bus() const { return bus_; }
    /// Of the function on its bus.
    [[nodiscard]] u32 number() const { return number_; }

    mutable std::mutex mutex_;
    ConfigSpace config_;

private:
    struct Bar {
        u64 size = 0; ///< 0: none
        bool is_wide = false;
    };

    void update_intx();
    void send_pending();
    [[nodiscard]] bool initiates_reset(u32 offset, unsigned size_log2, u32 value) const;

    std::string name_;
    PciBus *bus_ = nullptr;
    u32 number_ = 0;
    std::array<Bar, kBarCount> bars_{};
    std::optional<Msix> msix_;
    u32 msix_bar_ = kBarCount;
    u32 msix_capability_ = 0;
    u32 express_capability_ = 0; ///< 0: none
    bool intx_ = false;          ///< what the device asks for
    bool intx_driven_ = false;   ///< what the bus was told
};

} // namespace tandem::devices
