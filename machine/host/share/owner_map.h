#pragma once
/// Users of the host as the guest sees them.
///
/// A program that runs as an ordinary user makes files as that user only. The guest's root sees
/// that user's files as its own, and the host's root as nobody; other users keep their numbers. A
/// program that runs as root passes all numbers on and gives files to whoever makes them in the
/// guest.
#include "support/bits.h"

namespace tandem::machine {

class OwnerMap {
public:
    OwnerMap(u32 user, u32 group) : user_(user), group_(group) {}

    /// Files can be given away.
    [[nodiscard]] bool is_privileged() const { return user_ == 0; }
    [[nodiscard]] u32 guest_user(u32 host) const { return to_guest(host, user_); }
    [[nodiscard]] u32 guest_group(u32 host) const { return to_guest(host, group_); }
    [[nodiscard]] u32 host_user(u32 guest) const { return to_host(guest, user_); }
    [[nodiscard]] u32 host_group(u32 guest) const { return to_host(guest, group_); }

private:
    static constexpr u32 kNobody = 65534;

    [[nodiscard]] u32 to_guest(u32 host, u32 own) const {
        if (is_privileged()) return host;
        return host == own ? 0 : host == 0 ? kNobody : host;
    }
    [[nodiscard]] u32 to_host(u32 guest, u32 own) const {
        return guest == 0 && !is_privileged() ? own : guest;
    }

    u32 user_, group_;
};

} // namespace tandem::machine
