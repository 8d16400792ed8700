#pragma once
/// Whether memory holds zeros alone.
#include <cstddef>
#include <cstring>
#include <span>

namespace tandem {

[[nodiscard]] inline bool is_zero(std::span<const std::byte> bytes) {
    // memcmp of the bytes with themselves, shifted by one: as fast as it gets.
    return bytes.empty() || (bytes[0] == std::byte{0} &&
                             std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

} // namespace tandem
