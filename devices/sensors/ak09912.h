#pragma once
/// AK09912 magnetometer (Asahi Kasei, MS1547). A measurement takes no time; measuring continuously
/// there is always a new result.
#include "devices/sensors/register_chip.h"

namespace tandem::devices {

class Ak09912 final : public RegisterChip {
public:
    static constexpr u8 kAddress = 0x0c;

    explicit Ak09912(const QuantityValues &world) : RegisterChip("ak09912", world) { reset(); }
    void describe(FdtNode &bus, u8 address) const override;

private:
    void set_reset_values() override;
    void measure() override;
    void write_register(u8 number, u8 value) override;
    void has_read(u8 number) override;
    void take_sample();
};

} // namespace tandem::devices
