#pragma once
/// BMP280 barometer and thermometer (Bosch, BST-BMP280-DS001). A measurement takes no time.
#include "devices/sensors/register_chip.h"

namespace tandem::devices {

class Bmp280 final : public RegisterChip {
public:
    static constexpr u8 kAddress = 0x76;

    explicit Bmp280(const QuantityValues &world) : RegisterChip("bmp280", world) { reset(); }
    void describe(FdtNode &bus, u8 address) const override;

private:
    void set_reset_values() override;
    void measure() override;
    void write_register(u8 number, u8 value) override;
    void take_sample();
    void put_result(u8 number, u32 raw);
};

} // namespace tandem::devices
