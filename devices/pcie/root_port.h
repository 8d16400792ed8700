#pragma once
/// A PCI Express root port (PCI Express 5.0, 7.5.3; PCI-to-PCI Bridge 1.2): a bridge to a bus with
/// one slot, into which a function is plugged, also while the guest runs. The guest is told as by a
/// hand at the slot: presence changes, and a button asks for the function's removal.
#include "devices/pcie/pci_function.h"

#include <atomic>
#include <functional>

namespace tandem::devices {

/// What the guest does about a button that was pressed.
enum class SlotAnswer : u8 {
    Released, ///< it has switched the slot off: the function may be taken out
    Refused,
};

class RootPort final : public PciFunction {
public:
    static constexpr u32 kMsixBar = 0;

    using Listener = std::function<void(SlotAnswer)>;
    /// `slot` is the number people see. The listener is called by any thread with no lock held.
    RootPort(std::string name, u32 slot, Listener);

    [[nodiscard]] PciFunction *below() const { return below_.get(); }

    // While no vCPU runs.
    enum class Plugged : u8 {
        Cold, ///< the machine starts with it
        Hot,
    };
    void plug(std::unique_ptr<PciFunction>, Plugged);
    std::unique_ptr<PciFunction> unplug();

    enum class Button : u8 {
        Pressed,
        IsReleased, ///< the slot is off: there was no need
        Busy,       ///< the guest is about to change the slot's power
    };
    /// Any thread: asks the guest to let go of the function.
    [[nodiscard]] Button press_button();
    /// The guest has let go of what it was asked for.
    [[nodiscard]] bool is_released() const;

    // Routing; any thread.
    struct Buses {
        u32 secondary = 0, subordinate = 0;
    };
    /// Those behind the bridge; none while the numbers make no sense.
    [[nodiscard]] Buses buses() const;
    using Window = PciFunctionView::Bridge::Window;
    /// Parts of memory space that are forwarded downwards.
    [[nodiscard]] std::array<std::optional<Window>, 2> windows() const;
    /// The function below, if it can be reached.
    [[nodiscard]] PciFunction *reachable() const;

    void write_config(u32 offset, unsigned size_log2, u32 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void pause() override;
    void resume() override;

private:
    /// The bus below. What happens there passes the port.
    class Secondary final : public PciBus {
    public:
        explicit Secondary(RootPort &port) : port_(port) {}
        void mapping_changed() override { port_.mapping_changed(); }
        void set_interrupt(u32 function, bool level) override;
        void send_message(u32 function, u64 address, u32 data) override;
        [[nodiscard]] bool takes_requests() const override { return port_.is_master_; }
        [[nodiscard]] express::Kind kind() const override { return express::Kind::Endpoint; }

    private:
        RootPort &port_;
    };

    struct SavedState {
        static constexpr u32 kVersion = 1;
        State function;
        u8 is_occupied = 0;
        u8 is_wanted = 0, has_blinked = 0, has_interrupted = 0;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.function, self.is_occupied, self.is_wanted, self.has_blinked,
                    self.has_interrupted);
        }
    };

    u64 read_own_bar(u32, u64, unsigned) override { return 0; }
    void write_own_bar(u32, u64, unsigned, u64) override {}

    // With the mutex held.
    [[nodiscard]] u32 get(express::Register at) const {
        return config_.get(express_capability() + at, 2);
    }
    void set(express::Register at, u32 value) { config_.set(express_capability() + at, 2, value); }
    [[nodiscard]] bool is_off() const;
    /// Status follows from the slot and control.
    void settle();
    /// The same, and the guest hears of what has happened.
    void tell(u32 events);
    void update_interrupt();
    /// True: the bus below takes requests now, and did not before.
    bool update_routing();
    /// Whether the guest has answered.
    [[nodiscard]] std::optional<SlotAnswer> take_answer();

    Listener listener_;
    Secondary secondary_bus_{*this};
    std::unique_ptr<PciFunction> below_;
    bool is_linked_ = false;
    bool is_in_reset_ = false;     ///< the bus below
    bool has_interrupted_ = false; ///< the guest was told of the events that there are
    bool is_wanted_ = false;       ///< somebody waits for the function
    bool has_blinked_ = false;     ///< the guest has heard of it
    // Read by functions below, which hold their own mutex.
    std::atomic<bool> is_master_ = false;
    std::atomic<u32> secondary_number_ = 0;
};

} // namespace tandem::devices
