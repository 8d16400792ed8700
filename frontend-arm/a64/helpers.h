#pragma once
/// The functions translated A64 code calls, by the names of helpers.inc.
#include "ir/block.h"

#include <span>

namespace tandem::arm::a64 {

enum class HelperId : u16 {
#define HELPER(name, accesses_state, may_exit) name,
#include "frontend-arm/a64/helpers.inc"
};

#define HELPER(name, accesses_state, may_exit)                                                     \
    u64 name(ir::ExecContext &context, u64 a, u64 b, u64 c, u64 d, u64 imm);
#include "frontend-arm/a64/helpers.inc"

/// All of them, indexed by HelperId: what CallN's immediate refers to.
[[nodiscard]] std::span<const ir::Helper> helper_table();

} // namespace tandem::arm::a64
