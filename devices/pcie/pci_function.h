#pragma once
/// One PCI function: configuration space, base address registers, INTx and MSI-X. A device derives
/// from it and serves its own base address registers.
///
/// Locks: one mutex over the function. Order: the bus's map before functions, functions before the
/// bus's interrupt lines. read_bar() and write_bar() are called with no lock held.
#include "devices/core/state.h"
#include "devices/pcie/config_space.h"
#include "devices/pcie/msix.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace tandem::devices {

class PciFunction;

/// The bus a function is plugged into.
class PciBus {
public:
    virtual ~PciBus() = default;
    /// A base address or its enable bit changed. Called with no lock of a function held.
    virtual void mapping_changed() = 0;
    /// INTA of the device. Called with the function's mutex held, like send_message().
    virtual void set_interrupt(u32 device, bool level) = 0;
    virtual void send_message(u32 device, u64 address, u32 data) = 0;
};

struct PciIdentity {
    u16 vendor = 0, device = 0;
    u8 revision = 0;
    u32 class_code = 0; ///< base class, subclass, programming interface: a byte each
    u16 subsystem_vendor = 0, subsystem = 0;
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
    void connect(PciBus &bus, u32 device) {
        bus_ = &bus;
        device_number_ = device;
    }
    [[nodiscard]] u32 device_number() const { return device_number_; }

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

    // As MmioDevice: while no vCPU runs.
    virtual void reset();
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

    [[nodiscard]] virtual u64 read_own_bar(u32 bar, u64 offset, unsigned size_log2) = 0;
    virtual void write_own_bar(u32 bar, u64 offset, unsigned size_log2, u64 value) = 0;
    /// Bus mastering has been switched on; called with no lock held.
    virtual void bus_master_enabled() {}

    // With the mutex held.
    [[nodiscard]] bool is_bus_master() const {
        return (config_.get(pci::kCommand, 2) & pci::kCommandMaster) != 0;
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

    mutable std::mutex mutex_;
    ConfigSpace config_;

private:
    struct Bar {
        u64 size = 0; ///< 0: none
        bool is_wide = false;
    };

    void update_intx();
    void send_pending();

    std::string name_;
    PciBus *bus_ = nullptr;
    u32 device_number_ = 0;
    std::array<Bar, kBarCount> bars_{};
    std::optional<Msix> msix_;
    u32 msix_bar_ = kBarCount;
    u32 msix_capability_ = 0;
    bool intx_ = false;        ///< what the device asks for
    bool intx_driven_ = false; ///< what the bus was told
};

} // namespace tandem::devices
