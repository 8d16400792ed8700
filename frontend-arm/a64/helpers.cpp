#include "frontend-arm/a64/helpers.h"

namespace tandem::arm::a64 {

std::span<const ir::Helper> helper_table() {
    static constexpr ir::Helper kTable[] = {
#define HELPER(name, accesses_state, may_exit) {#name, name, accesses_state, may_exit},
#include "frontend-arm/a64/helpers.inc"
    };
    return kTable;
}

} // namespace tandem::arm::a64
