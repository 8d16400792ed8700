#include "machine/control/screen_commands.h"

#include "machine/control/qmp_answers.h"
#include "machine/screen/image_file.h"
#include "machine/screen/screen_config.h"

#include <fmt/format.h>

#include <optional>

namespace tandem::machine {

namespace {

using nlohmann::json;

/// The output that `head` names, the first unless given.
std::expected<std::size_t, QmpError> output_of(const MachineControl &machine,
                                               const json &arguments) {
    const std::size_t outputs = machine.screen().outputs();
    if (outputs == 0)
        return refused("There is no console to take a screendump from; start the machine with "
                       "--screen");
    const i64 head = arguments.contains("head") ? arguments["head"].get<i64>() : 0;
    if (head < 0 || static_cast<u64>(head) >= outputs)
        return refused(fmt::format("Parameter 'head' expects a value of 0 to {}", outputs - 1));
    return static_cast<std::size_t>(head);
}

} // namespace

QmpResult screendump(MachineControl &machine, const json &arguments) {
    if (arguments.contains("device"))
        return std::unexpected(
            QmpError{"DeviceNotFound",
                     fmt::format("Device '{}' not found", arguments["device"].get<std::string>())});
    const std::string format = arguments.value("format", "ppm");
    const auto kind = value_in(kImageFileKinds, format);
    if (!kind.has_value())
        return refused(fmt::format("Parameter 'format' does not accept value '{}'", format));
    const auto output = output_of(machine, arguments);
    if (!output.has_value()) return std::unexpected(output.error());
    const Picture picture = machine.screen().picture(*output);
    if (picture.is_empty())
        return refused(fmt::format(
            "the guest shows nothing on screen {} yet; try again when it does", *output));
    return done(write_image(picture, *kind, arguments["filename"]));
}

QmpResult query_screens(MachineControl &machine, const json & /*arguments*/) {
    json list = json::array();
    for (const ScreenInfo &screen : machine.screen().info())
        list.push_back({{"width", screen.width},
                        {"height", screen.height},
                        {"updates", screen.updates},
                        {"hash", fmt::format("{:016x}", screen.hash)}});
    return list;
}

QmpResult set_screen(MachineControl &machine, const json &arguments) {
    const auto output = output_of(machine, arguments);
    if (!output.has_value()) return std::unexpected(output.error());
    const std::string size = arguments["size"];
    const auto mode = parse_screen(size);
    if (!mode.has_value()) return refused(fmt::format("{}: {}", size, mode.error().message));
    return done(machine.set_screen(static_cast<u32>(*output), *mode));
}

} // namespace tandem::machine
