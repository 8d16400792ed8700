#pragma once
/// Where message-signalled interrupts arrive: the interrupt controller's doorbell.
#include "devices/core/irq_line.h"

namespace tandem::devices {

class MsiSink {
public:
    virtual ~MsiSink() = default;
    /// A function writes `data` to `address`. The requester is its bus, device and function number,
    /// which the ITS knows as DeviceID. An address that is no doorbell is ignored. Any thread, with
    /// the device's locks held; does not call back into a device.
    virtual void send_message(u32 requester, u64 address, u32 data) = 0;
};

} // namespace tandem::devices
