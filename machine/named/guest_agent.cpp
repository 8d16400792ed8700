#include "machine/named/guest_agent.h"

#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>

namespace tandem::machine {
namespace {

using nlohmann::json;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kPatience{1000};
/// guest-sync-delimited: where an answer starts, whatever came before it.
constexpr char kDelimiter = '\xff';
constexpr std::size_t kMaxLine = 64 * 1024;

class Agent {
public:
    explicit Agent(const std::string &path) : fd_(connect_to(path)) {}

    [[nodiscard]] bool send(const json &request) {
        const std::string text = kDelimiter + request.dump() + "\n";
        return fd_.is_open() && ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                                    static_cast<ssize_t>(text.size());
    }
    /// The next whole line; nothing if none comes in time.
    [[nodiscard]] std::optional<std::string> receive() {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        for (;;) {
            if (const std::size_t at = waiting_.find('\n'); at != std::string::npos) {
                std::string line = waiting_.substr(0, at);
                waiting_.erase(0, at + 1);
                return line;
            }
            const auto left =
                std::chrono::ceil<Milliseconds>(end - std::chrono::steady_clock::now());
            pollfd input{fd_.get(), POLLIN, 0};
            if (waiting_.size() > kMaxLine || left <= Milliseconds{0} ||
                ::poll(&input, 1, static_cast<int>(left.count())) <= 0)
                return std::nullopt;
            std::array<char, 4096> buffer{};
            const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
            if (got <= 0) return std::nullopt;
            waiting_.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }
    /// Whether an agent is there now: answers to others' questions may come before its own.
    [[nodiscard]] bool answers() {
        const auto id = static_cast<unsigned>(::getpid());
        if (!send({{"execute", "guest-sync-delimited"}, {"arguments", {{"id", id}}}})) return false;
        while (auto line = receive()) {
            line->erase(0, line->rfind(kDelimiter) + 1);
            const json answer = json::parse(*line, nullptr, false);
            if (answer.is_object() && answer.value("return", json()) == json(id)) return true;
        }
        return false;
    }

private:
    ScopedFd fd_;
    std::string waiting_;
};

} // namespace

bool shut_down_by_agent(const std::string &socket_path) {
    Agent agent(socket_path);
    if (!agent.answers() ||
        !agent.send({{"execute", "guest-shutdown"}, {"arguments", {{"mode", "powerdown"}}}}))
        return false;
    // It answers only what it refuses; the time also lets the request reach the guest.
    return !agent.receive().has_value();
}

} // namespace tandem::machine
