#pragma once
/// What the optimising compiler is to the rest: an interface, implemented by a shared module
/// (jit/llvm) that is loaded when the first region is to be compiled.
///
/// Calling convention of a region's function: the pinned registers and the budget are where
/// translated code has them (baseline/frame.h), the context pointer is in rsi, the index of the
/// entry in rdi, and rsp is 8 less than on entry to a T1 block (as after a call). The function
/// keeps rbp, which points to its frame meanwhile, as T1's context pointer is there. It ends by
/// jumping to one of the exits, with r14 reduced by what it retired (perhaps below 0: exits look),
/// all state but the pinned registers in the context, and its frame gone.
#include "jit/regions/region.h"
#include "jit/regions/region_image.h"
#include "support/result.h"

#include <string>

namespace tandem::jit {

/// Not thread-safe: one per compiling thread.
class RegionCompiler {
public:
    virtual ~RegionCompiler() = default;
    /// Whether it has code of its own for an operation: all others call their definition.
    [[nodiscard]] virtual bool has_code_for(ir::Opcode op) const = 0;
    /// `text`, unless null, gets its own IR before and after the passes, for people. The image is
    /// the same whenever the region is.
    [[nodiscard]] virtual Result<RegionImage> compile(const Region &region, std::string *text) = 0;
};

/// The module's only function.
using CreateRegionCompiler = RegionCompiler *(*)(const ir::Helper *helpers, std::size_t count,
                                                 unsigned host_level);
inline constexpr const char *kCreateRegionCompiler = "tandem_create_region_compiler";

} // namespace tandem::jit
