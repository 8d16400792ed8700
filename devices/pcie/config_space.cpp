#include "devices/pcie/config_space.h"

#include "support/check.h"

#include <cstring>

namespace tandem::devices {

ConfigSpace::ConfigSpace(PciHeader header) {
    if (header == PciHeader::Type0) {
#define CONFIG(name, offset, bytes, writable, cleared) define(offset, bytes, 0, writable, cleared);
#define CONFIG_TYPE0 CONFIG
#include "devices/pcie/pci_header.inc"
    } else {
#define CONFIG(name, offset, bytes, writable, cleared) define(offset, bytes, 0, writable, cleared);
#define CONFIG_TYPE1 CONFIG
#include "devices/pcie/pci_header.inc"
        define(pci::kHeaderType, 1, 1);
    }
}

void ConfigSpace::define(u32 offset, unsigned bytes, u32 value, u32 writable, u32 cleared) {
    CHECK(offset + bytes <= kSize && bytes <= sizeof(value));
    std::memcpy(&reset_[offset], &value, bytes);
    std::memcpy(&bytes_[offset], &value, bytes);
    std::memcpy(&writable_[offset], &writable, bytes);
    std::memcpy(&cleared_[offset], &cleared, bytes);
}

u32 ConfigSpace::add_capability(u8 id, u32 bytes) {
    const u32 at = next_capability_;
    CHECK(at + bytes <= 0x100);
    define(at, 1, id);
    define(last_link_, 1, at);
    define(pci::kStatus, 2, pci::kStatusCapabilities, 0, 0xf900);
    last_link_ = at + 1;
    next_capability_ = static_cast<u32>(align_up(at + bytes, 4));
    return at;
}

u32 ConfigSpace::get(u32 offset, unsigned bytes) const {
    u32 value = 0;
    std::memcpy(&value, &bytes_[offset], bytes);
    return value;
}

void ConfigSpace::set(u32 offset, unsigned bytes, u32 value) {
    std::memcpy(&bytes_[offset], &value, bytes);
}

void ConfigSpace::write(u32 offset, unsigned size_log2, u32 value) {
    for (u32 at = offset; at < offset + (1u << size_log2); ++at, value >>= 8) {
        const u8 byte = static_cast<u8>(value);
        const u8 kept = static_cast<u8>(bytes_[at] & ~writable_[at] & ~(byte & cleared_[at]));
        bytes_[at] = static_cast<u8>(kept | (byte & writable_[at]));
    }
}

bool ConfigSpace::restore(const std::vector<u8> &saved) {
    if (saved.size() != kSize) return false;
    for (u32 at = 0; at < kSize; ++at) {
        const u8 mask = writable_[at] | cleared_[at];
        bytes_[at] = static_cast<u8>((reset_[at] & ~mask) | (saved[at] & mask));
    }
    return true;
}

} // namespace tandem::devices
