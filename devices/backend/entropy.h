#pragma once
/// A source of random bytes. machine/host implements it, machine/replay wraps it.
#include <cstddef>
#include <span>

namespace tandem::devices {

class Entropy {
public:
    virtual ~Entropy() = default;
    /// Fills all of the buffer, without waiting. Any thread.
    virtual void fill(std::span<std::byte>) = 0;
};

} // namespace tandem::devices
