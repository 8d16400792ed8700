#pragma once
/// What a hardware-reduced ACPI platform (ACPI 6.5, 4.1) asks its guest, and is asked: the power
/// key behind a generic event device, sleep states and reset.
#include "devices/core/byte_device.h"
#include "devices/core/irq_line.h"

#include <functional>
#include <mutex>

namespace tandem::devices {

struct PlatformEventsState {
    static constexpr u32 kVersion = 1;
    u8 events = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.events);
    }
};

class PlatformEvents final : public ByteDevice {
public:
    // Offsets, and what the guest writes there.
    static constexpr u32 kEvents = 0x00, kSleepControl = 0x10, kSleepStatus = 0x11, kReset = 0x12;
    static constexpr u8 kPowerKey = 1 << 0;
    static constexpr u8 kSoftOff = 5; ///< SLP_TYP of S5
    static constexpr u8 kResetValue = 1;

    /// What the guest asks for; called on its CPU's thread, with no lock held.
    struct Actions {
        std::function<void()> power_off, reset;
    };
    PlatformEvents(IrqLine, Actions);

    /// Any thread.
    void press_power_key();

    [[nodiscard]] std::string_view name() const override { return "platform-events"; }
    [[nodiscard]] u64 size() const override { return 0x20; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    /// ACPI's DSDT tells of it instead.
    void describe(FdtNode &, const FdtPlacement &) const override {}

private:
    u8 read_byte(u32 offset) override;
    void write_byte(u32 offset, u8 value) override;

    mutable std::mutex mutex_;
    IrqLine irq_;
    PlatformEventsState state_;
    const Actions actions_;
};

} // namespace tandem::devices
