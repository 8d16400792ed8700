#pragma once
/// One client of the control socket: QMP (QEMU, docs/interop/qmp-spec) as bytes in and bytes out.
#include "machine/control/json_splitter.h"
#include "machine/control/qmp_commands.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace tandem::machine {

class QmpSession {
public:
    /// Its output is the greeting.
    explicit QmpSession(const QmpTarget &);

    /// Carries out what is whole of the client's bytes.
    void receive(std::string_view bytes);
    /// Passes an event on, once capabilities are negotiated.
    void notify(const nlohmann::json &event);

    /// For the client; the caller takes off what it has sent.
    std::string output;

private:
    void handle(const std::string &text);
    void send(const nlohmann::json &message);
    void send_error(const nlohmann::json &id, const char *error_class, std::string description);

    QmpTarget target_;
    JsonSplitter splitter_;
    bool negotiated_ = false;
};

} // namespace tandem::machine
