#pragma once
/// What the optimising compiler is to the rest: an interface, implemented by a shared module
/// (jit/llvm) that is loaded when the first region is to be compiled.
///
/// Calling convention of a region's function: the registers of translated code (baseline/frame.h)
/// are as on entry to a T1 block, but for rsp, which is 8 less (as after a call). It ends by
/// jumping to one of the exits, with the same registers, r14 reduced by what it retired (perhaps
/// below 0: exits look), all state but the pinned registers in the context, and its frame gone.
#include "jit/regions/code_arena.h"
#include "jit/regions/region.h"
#include "support/result.h"

#include <memory>

namespace tandem::jit {

/// Addresses that a region's function refers to.
struct RegionSymbols {
    /// u32 (context pointer as in rbp, opcode, imm, guest instruction as ir::insn_imm): arguments
    /// in ExecContext::scratch[0..3], results in [4..5]; returns pending_exit. By the preserve_all
    /// convention.
    const void *memory = nullptr;
    /// void (context pointer, opcode, imm): likewise.
    const void *thunk = nullptr;
    /// To the guest address in rsi.
    const void *exit_lookup = nullptr;
    /// To ExecContext::pc, by the dispatcher.
    const void *exit_pc_set = nullptr;
    /// To Region::exit_targets.
    std::vector<const void *> exits{};
};

struct CompiledRegion {
    ArenaPiece code{};
    const void *entry = nullptr;
};

/// Not thread-safe: one per compiling thread.
class RegionCompiler {
public:
    virtual ~RegionCompiler() = default;
    /// Whether it has code of its own for an operation: all others call their definition.
    [[nodiscard]] virtual bool has_code_for(ir::Opcode op) const = 0;
    [[nodiscard]] virtual Result<CompiledRegion>
    compile(const Region &region, const RegionSymbols &symbols, CodeArena &arena) = 0;
};

/// The module's only function.
using CreateRegionCompiler = RegionCompiler *(*)(const ir::Helper *helpers, std::size_t count,
                                                 unsigned host_level);
inline constexpr const char *kCreateRegionCompiler = "tandem_create_region_compiler";

} // namespace tandem::jit
