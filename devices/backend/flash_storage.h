#pragma once
/// The cells of a flash chip, kept by machine/host (a file, or memory).
#include "support/bits.h"

#include <cstddef>
#include <span>

namespace tandem::devices {

class FlashStorage {
public:
    virtual ~FlashStorage() = default;
    /// All cells, page-aligned host memory; the memory map shows it to the guest as ROM. The flash
    /// writes it under its own lock, while vCPUs may read it.
    [[nodiscard]] virtual std::span<std::byte> cells() = 0;
    /// The guest cannot erase or program.
    [[nodiscard]] virtual bool read_only() const = 0;
    /// These cells were changed: persist them. Called with the flash's lock held; does not block.
    virtual void changed(u64 offset, u64 length) = 0;
};

} // namespace tandem::devices
