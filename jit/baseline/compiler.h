#pragma once
/// T1, the baseline tier: one pass over an IR block emits x86-64 code.
///
/// Life of translated code. Runtime is emitted once per code cache: the entry and exit trampolines
/// and the cold stubs that all blocks share. Every block must lie within 2 GiB of it. The
/// dispatcher calls Runtime::enter; translated blocks jump from one to the next without returning,
/// until one needs the dispatcher: a target that is not linked, a miss in the jump cache, a used-up
/// budget, or ExecContext::pending_exit. Then all guest state is in the context again, and
/// ExecContext::pc is the next instruction's address.
///
/// Budget. ExecContext::budget holds the instructions left. Every exit subtracts its exact count
/// and returns to the dispatcher once fewer than ir::kMaxBlockInstructions remain; so translated
/// code may be entered only with at least that many, and never overshoots. The rest is for T0.
#include "ir/block.h"
#include "ir/exec_context.h"
#include "jit/baseline/host_features.h"
#include "jit/softmmu/reach.h"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace tandem::jit {

/// A piece of code memory in its two views, which may be the same.
struct CodeWindow {
    std::byte *writable = nullptr;
    const std::byte *executable = nullptr;
    std::size_t size = 0;
};

/// Why translated code returned. If `owner` is not 0, the exit `link` (an index into
/// CompiledBlock::links) of the block compiled with that owner was taken and its target is `pc`.
struct ExitInfo {
    u64 owner = 0;
    u64 link = 0;
};

/// A direct exit whose jump can be patched to go straight to its target.
struct LinkSite {
    u32 jump = 0;   ///< offset of the jump's 32-bit displacement; 4-byte aligned
    u32 stub = 0;   ///< offset of the code it reaches while not linked
    i32 target = 0; ///< byte offset of the target from the block's page
};

struct CompiledBlock {
    u32 size = 0; ///< bytes of code; the entry point is at offset 0
    std::vector<LinkSite> links;
};

enum class CompileResult {
    Done,
    WindowFull, ///< nothing usable was written: try again with a larger window
    TooComplex, ///< more live values than the frame has room for: leave the block to T0
};

/// Makes a link jump to `target` (an executable address within 2 GiB), or back to its stub. Atomic:
/// other threads may run the code meanwhile.
void set_link(CodeWindow block, const LinkSite &site, const void *target);
void clear_link(CodeWindow block, const LinkSite &site);

/// Code shared by all blocks of one code cache.
class Runtime {
public:
    static constexpr std::size_t kSize = 32 * 1024;

    /// Emits into `window`, which must have kSize bytes and outlive this.
    Runtime(CodeWindow window, HostFeatures features);

    /// Runs translated code from `code` on. The budget must be >= ir::kMaxBlockInstructions,
    /// pending_exit None, pc_page the page of `code`'s guest address.
    [[nodiscard]] ExitInfo enter(ir::ExecContext &context, const void *code) const {
        return enter_(&context, code);
    }

    [[nodiscard]] const HostFeatures &features() const { return features_; }

    /// What other code generators need (runtime.h): offsets from code().
    struct Stubs;
    [[nodiscard]] const Stubs &stubs() const { return *stubs_; }
    [[nodiscard]] const std::byte *code() const { return window_.executable; }

private:
    friend class BlockCompiler;

    HostFeatures features_;
    CodeWindow window_;
    std::shared_ptr<const Stubs> stubs_;
    ExitInfo (*enter_)(ir::ExecContext *, const void *code) = nullptr;
};

/// Translates blocks. Not thread-safe: one per translating thread; reuses its buffers.
class Compiler {
public:
    Compiler(const Runtime &runtime, std::span<const ir::Helper> helpers);
    ~Compiler();

    /// No block needs more code than this.
    static constexpr std::size_t kMaxCodeSize = 512 * 1024;

    /// Emits `block` at the start of `window`, which has the distance between its views that the
    /// runtime's window has, and 16-byte alignment. `owner` is what ExitInfo will report; not 0.
    /// Direct exits within `reach` become links.
    [[nodiscard]] CompileResult compile(const ir::Block &block, u64 owner, Reach reach,
                                        CodeWindow window, CompiledBlock &out);

private:
    std::unique_ptr<class BlockCompiler> impl_;
};

} // namespace tandem::jit
