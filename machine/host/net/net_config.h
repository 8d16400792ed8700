#pragma once
/// What `--net` says: plain data.
#include "machine/link/link_config.h"
#include "support/bits.h"

#include <array>
#include <string>
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

// What the guest sees of the card of a user network.
inline constexpr std::array<u8, 6> kUserNetMac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
inline constexpr u16 kUserNetMtu = 1500;

struct NetConfig {
    enum class Kind : u8 { None, User };
    Kind kind = Kind::User;
    std::vector<HostForward> forwards = {};
    std::string tftp = {};     ///< a folder that the guest may read by TFTP; empty: none
    std::string bootfile = {}; ///< what DHCP has a guest boot from the network; empty: nothing
    unsigned queues = 1;       ///< pairs of them; a guest may use one for each CPU
    LinkConfig link = {};      ///< between the guest and this network
};

} // namespace tandem::machine
