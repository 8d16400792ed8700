#pragma once
/// The cells of a flash chip, kept by machine/host (a file, or memory).
#include "support/bits.h"

#include <cstddef>
#include <span>
#include <vector>

namespace tandem::devices {

class FlashStorage {
public:
    virtual ~FlashStorage() = default;
    /// All cells, page-aligned host memory; the memory map shows it to the guest as ROM. The flash
    /// writes it under its own lock, while vCPUs may read it.
    [[nodiscard]] virtual std::span<std::byte> cells() = 0;
    struct Range {
        u64 offset = 0, length = 0;
    };
    /// What may not be zero, by whole pages.
    [[nodiscard]] virtual std::vector<Range> populated() { return {{0, cells().size()}}; }
    /// The guest cannot erase or program.
    [[nodiscard]] virtual bool read_only() const = 0;
    /// These cells were changed: keep them. Called with the flash's lock held, on a vCPU's thread.
    /// False if they could not be kept; the guest is told that the operation failed.
    [[nodiscard]] virtual bool persist(u64 offset, u64 length) = 0;
};

} // namespace tandem::devices
