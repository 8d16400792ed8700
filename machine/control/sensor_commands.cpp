#include "machine/control/sensor_commands.h"

#include "machine/control/qmp_answers.h"
#include "machine/sensors/sensor_text.h"

#include <algorithm>

namespace tandem::machine {

namespace {

using nlohmann::json;

std::unexpected<QmpError> no_sensors() {
    return std::unexpected(
        QmpError{"DeviceNotActive", "the machine has no sensors; start it with --sensors"});
}

} // namespace

QmpResult query_sensors(MachineControl &machine, const json & /*arguments*/) {
    const auto world = machine.sensors();
    if (!world.has_value()) return no_sensors();
    json list = json::array();
    for (std::size_t i = 0; i < std::size(devices::kQuantities); ++i) {
        const devices::QuantityInfo &info = devices::kQuantities[i];
        list.push_back(
            {{"sensor", info.name},
             {"unit", info.unit},
             {"values", to_numbers(static_cast<devices::Quantity>(i), world->values[i])}});
    }
    return list;
}

QmpResult set_sensor(MachineControl &machine, const json &arguments) {
    if (!machine.sensors().has_value()) return no_sensors();
    const auto quantity = parse_quantity(arguments["sensor"].get<std::string>());
    if (!quantity.has_value()) return refused(quantity.error().message);
    const json &values = arguments["values"];
    if (!std::ranges::all_of(values, [](const json &value) { return value.is_number(); }))
        return refused("Parameter 'values' expects numbers");
    const auto numbers = values.get<std::vector<double>>();
    const auto value = to_value(*quantity, numbers);
    if (!value.has_value()) return refused(value.error().message);
    return done(machine.set_sensor(*quantity, *value));
}

} // namespace tandem::machine
