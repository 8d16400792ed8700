#include "machine/control/vnc_commands.h"

#include "machine/control/qmp_answers.h"

#include <fmt/format.h>

namespace tandem::machine {

namespace {

using nlohmann::json;

json to_json(const VncPeer &peer) {
    return {{"host", peer.host}, {"service", peer.service}, {"family", peer.family}};
}

} // namespace

QmpResult query_vnc(MachineControl &machine, const json & /*arguments*/) {
    const auto vnc = machine.vnc();
    if (!vnc.has_value()) return json{{"enabled", false}};
    json answer = to_json(vnc->server);
    answer["enabled"] = true;
    answer["auth"] = vnc->has_password ? "vnc" : "none";
    answer["clients"] = json::array();
    for (const VncPeer &client : vnc->clients) {
        json one = to_json(client);
        one["websocket"] = false;
        answer["clients"].push_back(std::move(one));
    }
    return answer;
}

QmpResult change_vnc_password(MachineControl &machine, const json &arguments) {
    return done(machine.set_vnc_password(arguments["password"]));
}

QmpResult set_password(MachineControl &machine, const json &arguments) {
    const std::string protocol = arguments["protocol"];
    if (protocol != "vnc")
        return std::unexpected(
            QmpError{.description =
                         fmt::format("Parameter 'protocol' does not accept value '{}'", protocol)});
    if (arguments.value("connected", "keep") != "keep")
        return std::unexpected(QmpError{
            .description = "parameter 'connected' must be 'keep' when 'protocol' is 'vnc'"});
    return change_vnc_password(machine, arguments);
}

} // namespace tandem::machine
