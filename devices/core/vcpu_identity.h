#pragma once
/// Which vCPU's access a device is serving: for the few devices with registers banked per CPU.
#include "support/bits.h"

namespace tandem::devices {

class VcpuIdentity {
public:
    virtual ~VcpuIdentity() = default;
    /// Index of the vCPU whose access runs on the calling thread; 0 if it is no vCPU's (a
    /// debugger).
    [[nodiscard]] virtual u32 current() const = 0;
};

} // namespace tandem::devices
