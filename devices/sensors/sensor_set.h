#pragma once
/// The sensors and the battery of a mobile device, on the bus of an I2C controller.
#include "devices/sensors/ak09912.h"
#include "devices/sensors/bmp280.h"
#include "devices/sensors/lsm6dso.h"
#include "devices/sensors/smart_battery.h"
#include "devices/sensors/stk3310.h"

namespace tandem::devices {

class SensorSet {
public:
    explicit SensorSet(const QuantityValues &world = {});

    /// Its chips are there.
    [[nodiscard]] const I2cBus &bus() const { return bus_; }

    /// Any thread: the world has changed. The value is within the quantity's range.
    void set(Quantity, const QuantityValue &);
    /// Any thread.
    [[nodiscard]] QuantityValues world() const;

    // While no vCPU runs, like those of a device.
    void save(StateWriter &) const;
    [[nodiscard]] Result<> restore(StateReader &);

private:
    /// Of this set, which may be const.
    template <typename Self, typename Action>
    static void for_each_chip(Self &self, Action action);

    I2cBus bus_;
    QuantityValues world_; ///< guarded by the bus's mutex, like the chips
    Lsm6dso imu_{world_};
    Ak09912 magnetometer_{world_};
    Bmp280 barometer_{world_};
    Stk3310 light_{world_};
    SmartBattery battery_{world_};
};

} // namespace tandem::devices
