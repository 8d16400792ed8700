#pragma once
/// Access to a device configuration that is a plain little-endian struct.
#include "support/bits.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace tandem::devices {

/// Copies from byte `offset` of the struct; bytes beyond its end are zero.
template <typename Config>
void read_config_struct(const Config &config, u32 offset, std::span<std::byte> target) {
    const auto source = std::as_bytes(std::span(&config, 1));
    std::memset(target.data(), 0, target.size());
    if (offset >= source.size()) return;
    std::memcpy(target.data(), source.data() + offset,
                std::min(target.size(), source.size() - offset));
}

} // namespace tandem::devices
