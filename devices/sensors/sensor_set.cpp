#include "devices/sensors/sensor_set.h"

namespace tandem::devices {

template <typename Self, typename Action>
void SensorSet::for_each_chip(Self &self, Action action) {
    action(self.imu_);
    action(self.magnetometer_);
    action(self.barometer_);
    action(self.light_);
    action(self.battery_);
}

SensorSet::SensorSet(const QuantityValues &world) : world_(world) {
    for_each_chip(*this, [this]<typename Chip>(Chip &chip) { bus_.attach(Chip::kAddress, chip); });
}

void SensorSet::set(Quantity quantity, const QuantityValue &value) {
    const std::scoped_lock lock(bus_.mutex());
    world_[quantity] = value;
}

QuantityValues SensorSet::world() const {
    const std::scoped_lock lock(bus_.mutex());
    return world_;
}

void SensorSet::save(StateWriter &writer) const {
    const std::scoped_lock lock(bus_.mutex());
    save_state(writer, "world", world_);
    for_each_chip(*this, [&writer](const auto &chip) { chip.save(writer); });
}

Result<> SensorSet::restore(StateReader &reader) {
    const std::scoped_lock lock(bus_.mutex());
    QuantityValues world;
    TRY(restore_state(reader, "world", world));
    if (!world.is_valid()) return failure("snapshot: what the sensors measure is damaged");
    world_ = world;
    Result<> restored;
    for_each_chip(*this, [&](auto &chip) {
        if (restored.has_value()) restored = chip.restore(reader);
    });
    return restored;
}

} // namespace tandem::devices
