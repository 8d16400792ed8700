#pragma once
/// Prints translated blocks at every stage: guest disassembly, IR, optimised IR, host code;
/// and what LLVM makes of regions.
#include "ir/frontend.h"
#include "jit/tiering/observer.h"
#include "machine/board/machine_config.h"

#include <cstdio>
#include <mutex>

namespace tandem::machine {

class BlockPrinter final : public jit::TranslationObserver {
public:
    /// The frontend names state in the IR; it and `out` outlive the printer.
    BlockPrinter(const TraceConfig &config, const ir::Frontend &frontend, std::FILE *out)
        : config_(config), frontend_(frontend), out_(out) {}

    bool wants(u64 va) const override { return va >= config_.first && va <= config_.last; }
    void translated(u64 va, std::span<const std::byte> guest_code, const ir::Block &raw,
                    const ir::Block &optimised) override;
    void compiled(u64 va, std::span<const std::byte> host_code) override;
    void optimised(u64 va, const std::string &ir, std::span<const std::byte> host_code) override;

private:
    TraceConfig config_;
    const ir::Frontend &frontend_;
    std::FILE *out_;
    std::mutex mutex_; ///< keeps what belongs together together
};

} // namespace tandem::machine
