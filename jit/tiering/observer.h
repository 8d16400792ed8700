#pragma once
/// Watches translation; for people (see machine/debug) and tests.
#include "ir/block.h"

#include <cstddef>
#include <span>
#include <string>

namespace tandem::jit {

class TranslationObserver {
public:
    virtual ~TranslationObserver() = default;
    /// Whether the block at this guest virtual address is of interest. Asked before the others.
    [[nodiscard]] virtual bool wants(u64 va) const = 0;
    /// T0 is about to get a block: the guest code it was made from, and its IR from the frontend
    /// and after the passes. Any vCPU's thread, as compiled().
    virtual void translated(u64 va, std::span<const std::byte> guest_code, const ir::Block &raw,
                            const ir::Block &optimised) = 0;
    /// T1 made code.
    virtual void compiled(u64 va, std::span<const std::byte> host_code) = 0;
    /// T2 made code of a region that is entered at `va`: the text of the compiler's own IR before
    /// and after its passes.
    virtual void optimised(u64 va, const std::string &ir, std::span<const std::byte> host_code) = 0;
};

} // namespace tandem::jit
