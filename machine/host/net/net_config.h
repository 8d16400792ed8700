#pragma once
/// What `--net` says: plain data.
#include "machine/link/link_config.h"
#include "support/bits.h"
#include "support/names.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::machine {

/// A port of the host that leads to one of the guest.
struct HostForward {
    enum class Protocol : u8 { Tcp, Udp };
    Protocol protocol = Protocol::Tcp;
    std::string address; ///< of the host, IPv4; empty: all
    u16 port = 0;
    u16 guest_port = 0;
};

/// What the guest's card has unless something else is said.
inline constexpr std::array<u8, 6> kDefaultMac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
inline constexpr u16 kNetMtu = 1500;

struct NetConfig {
    enum class Kind : u8 {
        None,
        User,   ///< libslirp, in this process
        Passt,  ///< a process of passt's
        Stream, ///< frames over a socket of the host, each behind its length
        Tap,    ///< an interface of the host
    };
    Kind kind = Kind::User;
    std::array<u8, 6> mac = kDefaultMac;
    std::string where = {}; ///< of Stream: the socket's path; of Tap: the interface's name
    std::vector<HostForward> forwards = {};
    std::string tftp = {};     ///< a folder that the guest may read by TFTP; empty: none
    std::string bootfile = {}; ///< what DHCP has a guest boot from the network; empty: nothing
    unsigned queues = 1;       ///< pairs of them; a guest may use one for each CPU
    LinkConfig link = {};      ///< between the guest and this network
};

inline constexpr std::pair<std::string_view, NetConfig::Kind> kNetKinds[] = {
    {"none", NetConfig::Kind::None},
    {"user", NetConfig::Kind::User},
    {"passt", NetConfig::Kind::Passt},
    {"stream", NetConfig::Kind::Stream},
    {"tap", NetConfig::Kind::Tap}};

[[nodiscard]] constexpr std::string_view name_of(NetConfig::Kind kind) {
    return name_in(kNetKinds, kind);
}

/// Whether TCP segments larger than the MTU may be sent there: somebody cuts them, or need not.
[[nodiscard]] constexpr bool has_large_segments(NetConfig::Kind kind) {
    return kind != NetConfig::Kind::Stream;
}

} // namespace tandem::machine
