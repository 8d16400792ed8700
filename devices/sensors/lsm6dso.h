#pragma once
/// LSM6DSO accelerometer and gyroscope (ST, DS12140), without its FIFO, embedded functions and
/// interrupt pins, which are not wired.
#include "devices/sensors/register_chip.h"

namespace tandem::devices {

class Lsm6dso final : public RegisterChip {
public:
    static constexpr u8 kAddress = 0x6a;

    explicit Lsm6dso(const QuantityValues &world) : RegisterChip("lsm6dso", world) { reset(); }
    void describe(FdtNode &bus, u8 address) const override;

private:
    void set_reset_values() override;
    void measure() override;
    void write_register(u8 number, u8 value) override;
    [[nodiscard]] bool advances() const override;
};

} // namespace tandem::devices
