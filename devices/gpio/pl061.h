#pragma once
/// PL061 GPIO (DDI 0190B): eight pins, of which the board wires kPowerKeyPin to the power key.
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"

#include <mutex>

namespace tandem::devices {

struct Pl061State {
    static constexpr u32 kVersion = 1;

    u8 inputs = 0;  ///< levels of the pins from outside
    u8 outputs = 0; ///< what the guest drives
    u8 direction = 0, level_sensitive = 0, both_edges = 0, rising = 0;
    u8 enabled = 0;
    u8 latched = 0; ///< edges seen
    u8 alternate = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.inputs, self.outputs, self.direction, self.level_sensitive, self.both_edges,
                self.rising, self.enabled, self.latched, self.alternate);
    }
};

class Pl061 final : public WordDevice {
public:
    static constexpr u32 kPowerKeyPin = 3;

    explicit Pl061(IrqLine);

    [[nodiscard]] std::string_view name() const override { return "pl061"; }
    [[nodiscard]] u64 size() const override { return 0x1000; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    /// Adds the controller and the gpio-keys node with the power key.
    void describe(FdtNode &parent, const FdtPlacement &) const override;

    /// Level of an input pin. Any thread. The power key is high while pressed; press and release
    /// some 100 ms of guest time apart, so that the guest sees both.
    void set_input(u32 pin, bool level);

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;

    [[nodiscard]] u8 pins() const;
    [[nodiscard]] u8 raw_interrupts() const;
    void latch_edges(u8 before);

    mutable std::mutex mutex_;
    IrqLine irq_;
    Pl061State state_;
};

} // namespace tandem::devices
