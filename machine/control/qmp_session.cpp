#include "machine/control/qmp_session.h"

#include <fmt/format.h>

namespace tandem::machine {

using nlohmann::json;

QmpSession::QmpSession(const QmpTarget &target) : target_(target) {
    send({{"QMP", {{"version", qmp_version()}, {"capabilities", json::array()}}}});
}

void QmpSession::send(const json &message) {
    // The specification has servers send ASCII only. Paths need not be UTF-8.
    output += message.dump(-1, ' ', true, json::error_handler_t::replace);
    output += "\r\n";
}

void QmpSession::send_error(const json &id, const char *error_class, std::string description) {
    json message{{"error", {{"class", error_class}, {"desc", std::move(description)}}}};
    if (!id.is_discarded()) message["id"] = id;
    send(message);
}

void QmpSession::notify(const json &event) {
    if (negotiated_) send(event);
}

void QmpSession::receive(std::string_view bytes) {
    splitter_.add(bytes);
    while (const auto piece = splitter_.next()) {
        if (piece->kind == JsonSplitter::Kind::TooLarge)
            send_error(json::value_t::discarded, "GenericError", "JSON value is too large");
        else
            handle(piece->text);
    }
}

void QmpSession::handle(const std::string &text) {
    const json none(json::value_t::discarded);
    const auto generic = [this](const json &id, std::string description) {
        send_error(id, "GenericError", std::move(description));
    };
    const json request = json::parse(text, nullptr, false);
    if (request.is_discarded()) return generic(none, "JSON parse error");
    if (!request.is_object()) return generic(none, "QMP input must be a JSON object");
    const json id = request.value("id", none);
    static const json kNoArguments = json::object();
    const json *arguments = &kNoArguments;
    for (const auto &[name, value] : request.items()) {
        if (name == "id") continue;
        if (name == "execute") {
            if (!value.is_string())
                return generic(id, "QMP input member 'execute' must be a string");
        } else if (name == "arguments") {
            if (!value.is_object())
                return generic(id, "QMP input member 'arguments' must be an object");
            arguments = &value;
        } else {
            return generic(id, fmt::format("QMP input member '{}' is unexpected", name));
        }
    }
    const auto execute = request.find("execute");
    if (execute == request.end()) return generic(id, "QMP input lacks member 'execute'");
    const auto command = execute->get<std::string>();

    if (command == "qmp_capabilities") {
        if (negotiated_)
            return send_error(id, "CommandNotFound",
                              "Capabilities negotiation is already complete, command ignored");
        const auto wanted = arguments->find("enable");
        if (wanted != arguments->end() && (!wanted->is_array() || !wanted->empty()))
            return generic(id, "QMP capability not available");
        negotiated_ = true;
    } else if (!negotiated_) {
        return send_error(id, "CommandNotFound",
                          "Expecting capabilities negotiation with 'qmp_capabilities'");
    }
    const QmpResult result = command == "qmp_capabilities"
                                 ? QmpResult{json::object()}
                                 : run_qmp_command(target_, command, *arguments);
    if (!result.has_value())
        return send_error(id, result.error().error_class, result.error().description);
    json message{{"return", *result}};
    if (!id.is_discarded()) message["id"] = id;
    send(message);
}

} // namespace tandem::machine
