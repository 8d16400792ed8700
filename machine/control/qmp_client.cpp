#include "machine/control/qmp_client.h"

#include "machine/control/json_member.h"
#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tandem::machine {
namespace {

using nlohmann::json;

constexpr timeval kPatience{10, 0};

} // namespace

Result<QmpClient> QmpClient::connect(const std::string &path) {
    QmpClient client(connect_to(path));
    if (!client.fd_.is_open()) return failure(fmt::format("{}: nobody serves it", path));
    ::setsockopt(client.fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(client.fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
        client.process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
    const json greeting = TRY(client.receive());
    if (!greeting.contains("QMP")) return failure(fmt::format("{}: speaks no QMP", path));
    TRY(client.execute("qmp_capabilities"));
    return client;
}

Result<json> QmpClient::receive() {
    for (;;) {
        const std::size_t end = waiting_.find('\n');
        if (end != std::string::npos) {
            json message = json::parse(waiting_.substr(0, end), nullptr, false);
            waiting_.erase(0, end + 1);
            if (!message.is_object()) return failure("the machine's answer is damaged; try again");
            if (!message.contains("event")) return message;
            continue;
        }
        std::array<char, 16 * 1024> buffer{};
        const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return failure("the machine does not answer; see its log, and try again");
        waiting_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<json> QmpClient::execute(const std::string &command) {
    return execute(command, json::object());
}

Result<json> QmpClient::execute(const std::string &command, json arguments) {
    json request{{"execute", command}};
    if (!arguments.empty()) request["arguments"] = std::move(arguments);
    const std::string text = request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size()))
        return failure("the machine has ended");
    const json answer = TRY(receive());
    if (answer.contains("error"))
        return failure(
            fmt::format("{}: {}", command, text_member(answer["error"], "desc", "refused")));
    return answer.value("return", json::object());
}

Result<json> QmpClient::run_job(const std::string &command, json arguments) {
    static constexpr int kPollMs = 10;
    const std::string id = fmt::format("{}-{}", command, ::getpid());
    arguments["job-id"] = id;
    TRY(execute(command, std::move(arguments)));
    for (;;) {
        const json jobs = TRY(execute("query-jobs"));
        const auto job = std::ranges::find_if(
            jobs, [&](const json &each) { return text_member(each, "id") == id; });
        if (job == jobs.end()) return failure("the machine has forgotten what it does; try again");
        if (text_member(*job, "status") != "concluded") {
            ::poll(nullptr, 0, kPollMs);
            continue;
        }
        TRY(execute("job-dismiss", {{"id", id}}));
        if (job->contains("error")) return failure(text_member(*job, "error"));
        return *job;
    }
}

bool QmpClient::wait_for_end(int timeout_ms) {
    pollfd end{process_.get(), POLLIN, 0};
    return process_.is_open() && ::poll(&end, 1, timeout_ms) > 0;
}

} // namespace tandem::machine
