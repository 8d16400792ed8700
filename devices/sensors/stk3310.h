#pragma once
/// STK3310 ambient light and proximity sensor (Sensortek), without its interrupt pin, which is not
/// wired.
#include "devices/sensors/register_chip.h"

namespace tandem::devices {

class Stk3310 final : public RegisterChip {
public:
    static constexpr u8 kAddress = 0x48;
    /// What the proximity sensor counts when something is 5 cm away; more when it is nearer.
    static constexpr u32 kNearCount = 528;

    explicit Stk3310(const QuantityValues &world) : RegisterChip("stk3310", world) { reset(); }
    void describe(FdtNode &bus, u8 address) const override;

private:
    void set_reset_values() override;
    void measure() override;
    void write_register(u8 number, u8 value) override;
};

} // namespace tandem::devices
