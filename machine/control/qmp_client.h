#pragma once
/// The other end of a control socket: asks a machine of another process.
#include "support/result.h"
#include "support/scoped_fd.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace tandem::machine {

class QmpClient {
public:
    /// Fails if nobody serves there, or it is no QMP.
    [[nodiscard]] static Result<QmpClient> connect(const std::string &path);

    [[nodiscard]] Result<nlohmann::json> execute(const std::string &command);
    [[nodiscard]] Result<nlohmann::json> execute(const std::string &command,
                                                 nlohmann::json arguments);
    /// The same for a command that starts a job; returns what is said of it when it has ended.
    [[nodiscard]] Result<nlohmann::json> run_job(const std::string &command,
                                                 nlohmann::json arguments);
    /// Waits for the serving process to end.
    [[nodiscard]] bool wait_for_end(int timeout_ms);

private:
    explicit QmpClient(ScopedFd fd) : fd_(std::move(fd)) {}
    /// The next message that is no event.
    [[nodiscard]] Result<nlohmann::json> receive();

    ScopedFd fd_, process_;
    std::string waiting_;
};

} // namespace tandem::machine
