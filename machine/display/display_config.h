#pragma once
/// How people see a machine's screens. Plain data.
#include "support/bits.h"

#include <optional>
#include <string>

namespace tandem::machine {

/// A VNC server.
struct VncConfig {
    static constexpr unsigned kFirstPort = 5900;
    static constexpr unsigned kMaxNumber = 0xffff - kFirstPort;

    std::string address = "127.0.0.1";
    unsigned number = 0;       ///< the port, from kFirstPort on
    std::string password_file; ///< its first line; empty: none
    bool has_password = false; ///< without a file nobody is let in before one is set
    unsigned head = 0;         ///< the screen that it shows
};

/// A window for each screen.
struct SdlConfig {
    static constexpr unsigned kMaxScale = 8;

    bool is_full_screen = false;
    unsigned scale = 1; ///< pixels of the window for one of the screen, each way
};

struct DisplayConfig {
    std::optional<VncConfig> vnc;
    std::optional<SdlConfig> sdl;

    [[nodiscard]] bool any() const { return vnc.has_value() || sdl.has_value(); }
};

} // namespace tandem::machine
