#include "machine/memory/port_map.h"

#include <algorithm>

namespace tandem::machine {

void PortMap::add_device(u16 base, devices::ByteDevice &device) {
    ranges_.push_back({base, &device});
}

const PortMap::Range *PortMap::find(u32 port) const {
    const auto range = std::ranges::find_if(ranges_, [port](const Range &each) {
        return port >= each.base && port - each.base < each.device->size();
    });
    return range != ranges_.end() ? &*range : nullptr;
}

u64 PortMap::read(u16 port, unsigned size_log2) const {
    u64 value = 0;
    for (u32 i = 0; i < 1u << size_log2; ++i) {
        const Range *range = find(port + i);
        u64 byte = 0xff;
        if (range != nullptr)
            static_cast<void>(range->device->read(port + i - range->base, 0, byte));
        value |= byte << (i * 8);
    }
    return value;
}

void PortMap::write(u16 port, unsigned size_log2, u64 value) const {
    for (u32 i = 0; i < 1u << size_log2; ++i)
        if (const Range *range = find(port + i); range != nullptr)
            static_cast<void>(
                range->device->write(port + i - range->base, 0, value >> (i * 8) & 0xff));
}

} // namespace tandem::machine
