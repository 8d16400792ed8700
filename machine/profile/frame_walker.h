#pragma once
/// Call stacks by AArch64 frame records: a chain of {previous frame pointer, return address} in
/// memory (AAPCS64 6.2.3). The guest may have put anything there: whatever is found, the walk is
/// bounded and reads nothing but guest memory. Async-signal-safe.
#include "machine/profile/sample.h"

#include <span>

namespace tandem::machine::profile {

/// Guest memory by virtual address; reading leaves no trace.
class StackMemory {
public:
    /// False: not there.
    [[nodiscard]] virtual bool read(u64 va, std::span<u64> out) = 0;

protected:
    ~StackMemory() = default;
};

struct StackStart {
    u64 pc = 0, link = 0, frame = 0; ///< the program counter, X30 and X29
    bool is_kernel = false;          ///< else a user's
    /// The bits of a code pointer that may hold an authentication code, by half of the address
    /// space (bit 55).
    std::array<u64, 2> code_bits{};
};

/// Fills in the sample's frames. Below those of a Linux kernel that was entered from a user's
/// program come the program's, if the kernel's last record tells where its registers are.
void walk_stack(StackMemory &, const StackStart &, Sample &);

} // namespace tandem::machine::profile
