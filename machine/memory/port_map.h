#pragma once
/// The I/O ports of an x86 machine: a few devices with registers of a byte each.
#include "devices/core/byte_device.h"

#include <vector>

namespace tandem::machine {

class PortMap {
public:
    /// Before any vCPU runs. The device outlives the map.
    void add_device(u16 base, devices::ByteDevice &device);

    // Any thread; size_log2 is 0 to 2. A wider access is one to each port, as on the ISA bus.
    /// Ports without a device read as ones.
    [[nodiscard]] u64 read(u16 port, unsigned size_log2) const;
    void write(u16 port, unsigned size_log2, u64 value) const;

private:
    struct Range {
        u32 base;
        devices::ByteDevice *device;
    };
    [[nodiscard]] const Range *find(u32 port) const;

    std::vector<Range> ranges_;
};

} // namespace tandem::machine
