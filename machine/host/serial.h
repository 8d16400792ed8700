#pragma once
/// Makes the host end of a character line: the UART's or the virtio console's.
#include "devices/backend/char.h"
#include "machine/host/host_char.h"
#include "support/bits.h"
#include "support/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace tandem::machine {

/// What the console's escape key asks for. Called on the console's input thread.
class ConsoleCommands {
public:
    virtual ~ConsoleCommands() = default;
    virtual void quit() = 0;
    virtual void press_power_key() = 0;
    /// Saves a snapshot; returns a line for the user.
    virtual std::string save_snapshot() = 0;
};

/// What a line is for.
struct LineUse {
    std::string_view option; ///< what it was asked for with, in messages to the user
    std::string_view line;   ///< what they call it
    HostChar::Unheard unheard = HostChar::Unheard::Kept;
};
inline constexpr LineUse kSerialLine{"--serial", "serial line"};
inline constexpr LineUse kConsoleLine{"--console", "virtio console"};
inline constexpr LineUse kSemihostingLine{"--semihosting", "semihosting console"};
inline constexpr LineUse kPortLine{"--port", "port", HostChar::Unheard::Lost};

/// Standard input and output; the terminal is raw while this lives.
[[nodiscard]] std::unique_ptr<devices::Char> create_stdio_serial(ConsoleCommands &);
/// Output to a file, made empty first; no input.
[[nodiscard]] Result<std::unique_ptr<devices::Char>> create_file_serial(const std::string &path);
/// A pseudo-terminal; its path goes to standard error.
[[nodiscard]] Result<std::unique_ptr<devices::Char>> create_pty_serial(const LineUse &);
/// Listens at address:port for one client at a time; port 0 picks one. Says on standard error
/// where.
[[nodiscard]] Result<std::unique_ptr<devices::Char>>
create_tcp_serial(const LineUse &, const std::string &address, u16 port);
/// Listens at a path for one client at a time.
[[nodiscard]] Result<std::unique_ptr<devices::Char>> create_unix_serial(const LineUse &,
                                                                        const std::string &path);

} // namespace tandem::machine
