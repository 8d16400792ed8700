#pragma once
/// The guest's own agent (QEMU's qga/qapi-schema.json), at the host's end of its port.
#include <string>

namespace tandem::machine {

/// Has the agent behind this socket shut the guest down. False: nobody answers there, or it does
/// not do such things.
[[nodiscard]] bool shut_down_by_agent(const std::string &socket_path);

} // namespace tandem::machine
