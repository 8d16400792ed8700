#pragma once
/// A VNC server as the machine sees it. Implemented by a module of its own (machine/display/vnc).
#include "machine/display/display_wiring.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <memory>
#include <string>
#include <vector>

namespace tandem::machine {

struct VncPeer {
    std::string host, service, family; ///< address, port, and "ipv4" or "ipv6"
};

struct VncInfo {
    VncPeer server;
    bool has_password = false;
    std::vector<VncPeer> clients; ///< that have been let in
};

/// Any thread. Serves until it is destroyed.
class VncService {
public:
    virtual ~VncService() = default;
    [[nodiscard]] virtual VncInfo info() const = 0;
    /// For who comes from now on. Its first 8 bytes count (RFC 6143 §7.2.2).
    virtual void set_password(const std::string &) = 0;
};

/// What the server starts with.
struct VncStart {
    ScopedFd listener;
    bool has_password = false; ///< none is let in without
    std::string password;      ///< empty: none is let in at all yet
    unsigned head = 0;
};

/// The module's only function. What the wiring names outlives the server.
using OpenVnc = void(VncStart, const DisplayWiring &, Result<std::unique_ptr<VncService>> &opened);
inline constexpr const char *kVncModule = "libtandem-vnc.so";
inline constexpr const char *kOpenVnc = "tandem_open_vnc";

} // namespace tandem::machine
