#pragma once
/// A battery with its gauge (Smart Battery Data Specification 1.1, SMBus 2.0). How full it is and
/// whether it is charged is the world's; it neither charges nor empties by itself.
#include "devices/core/state.h"
#include "devices/i2c/i2c_target.h"
#include "devices/sensors/quantities.h"

namespace tandem::devices {

struct SmartBatteryState {
    static constexpr u32 kVersion = 1;

    u16 mode = 0;
    u8 command = 0, low_byte = 0;
    u8 written = 0;              ///< bytes of this transfer, with the command's code
    u8 position = 0;             ///< of the answer, in what is left of it
    std::array<u8, 34> answer{}; ///< beyond it bytes are 0xff

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.mode, self.command, self.low_byte, self.written, self.position, self.answer);
    }
};

class SmartBattery final : public I2cTarget {
public:
    static constexpr u8 kAddress = 0x0b;

    /// `world` outlives the battery.
    explicit SmartBattery(const QuantityValues &world) : world_(world) {}

    [[nodiscard]] bool start(I2cDirection) override;
    [[nodiscard]] bool write(u8 byte) override;
    [[nodiscard]] u8 read() override;
    void describe(FdtNode &bus, u8 address) const override;

    void reset() { state_ = {}; }
    void save(StateWriter &writer) const { save_state(writer, "smart-battery", state_); }
    [[nodiscard]] Result<> restore(StateReader &reader) {
        return restore_state(reader, "smart-battery", state_);
    }

private:
    [[nodiscard]] bool has_charger() const { return world_[Quantity::Charger][0] != 0; }
    [[nodiscard]] i64 percent() const { return world_[Quantity::BatteryLevel][0] / kMicro; }
    [[nodiscard]] i64 tenths_of_kelvin() const;
    [[nodiscard]] i64 millivolts() const;
    /// Into the battery.
    [[nodiscard]] i64 milliamperes() const;
    [[nodiscard]] i64 remaining() const;
    [[nodiscard]] i64 status() const;
    /// Milliampere hours as the guest wants them.
    [[nodiscard]] i64 in_capacity_mode(i64 capacity) const;
    [[nodiscard]] static i64 minutes(i64 capacity, i64 current);
    void prepare_answer();

    const QuantityValues &world_;
    SmartBatteryState state_;
};

} // namespace tandem::devices
