#pragma once
/// Where a machine goes to, or comes from: unix:PATH, tcp:HOST:PORT, of the source also
/// exec:COMMAND, of the target fd:N.
#include "machine/move/channel.h"
#include "machine/move/target.h"
#include "support/result.h"

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace tandem::machine::move {

/// A process of the source's that leads to the target, such as ssh. It ends with its connection.
class Helper {
public:
    Helper() = default;
    explicit Helper(pid_t process) : process_(process) {}
    Helper(Helper &&other) noexcept : process_(std::exchange(other.process_, 0)) {}
    Helper &operator=(Helper &&) = delete;
    ~Helper();

private:
    pid_t process_ = 0; ///< 0: none
};

struct Connection {
    Helper helper; ///< outlives the channel
    std::unique_ptr<Channel> channel;
};

/// Connects to it and greets it.
[[nodiscard]] Result<Connection> connect(const std::string &address);
/// Whether connect() could make sense of it.
[[nodiscard]] Result<> check_address(const std::string &address);

/// Waits at an address for a machine.
class Arrival {
public:
    /// Listens; `address` is what --incoming says.
    [[nodiscard]] static Result<std::unique_ptr<Arrival>> open(const std::string &address);
    ~Arrival();
    Arrival(const Arrival &) = delete;
    Arrival &operator=(const Arrival &) = delete;

    /// Waits for a source, and returns what comes, JSON; whoever is none is sent away. Once it has
    /// come it is there.
    [[nodiscard]] Result<std::string> manifest();
    /// Whether only this user can be the source.
    [[nodiscard]] bool is_private() const { return !address_.starts_with("tcp:"); }
    /// After manifest().
    [[nodiscard]] Target &target() { return *target_; }
    /// Any thread: ends the wait.
    void cancel();

private:
    Arrival(std::string address, ScopedFd listener, std::string socket_path);
    [[nodiscard]] Result<ScopedFd> accept();
    [[nodiscard]] Result<> connect();

    std::string address_;
    ScopedFd listener_, cancelled_;
    std::string socket_path_;      ///< to be removed at the end; empty: none
    bool is_connected_ = false;    ///< the listener is the connection
    std::optional<Target> target_; ///< once there is a source
    std::string manifest_;
    std::mutex mutex_;                 ///< guards what follows, against cancel()
    std::unique_ptr<Channel> channel_; ///< only one thread replaces it
    bool is_cancelled_ = false;
};

} // namespace tandem::machine::move
