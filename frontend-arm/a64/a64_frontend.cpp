#include "frontend-arm/a64/a64_frontend.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/a64/translate/translator.h"
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/sysreg/sysreg.h"

#include <fmt/format.h>

namespace tandem::arm::a64 {

void A64Frontend::translate(std::span<const std::byte, 4096> page, u32 page_offset, u32 mode,
                            u32 max_instructions, ir::Block &out) const {
    Translator(decoder_, features_, Mode{mode}, out)
        .translate(page, page_offset, std::min(max_instructions, ir::kMaxBlockInstructions));
}

std::span<const ir::Helper> A64Frontend::helpers() const {
    return helper_table();
}

std::string A64Frontend::state_name(i64 offset) const {
    const auto within = [&](std::size_t start, std::size_t size) {
        return offset >= static_cast<i64>(start) && offset < static_cast<i64>(start + size);
    };
    const auto index = [&](std::size_t start, i64 size) {
        return (offset - static_cast<i64>(start)) / size;
    };
    constexpr std::size_t kGpr = __builtin_offsetof(ir::ExecContext, gpr);
    constexpr std::size_t kVectors = __builtin_offsetof(ArmState, v);
    constexpr std::size_t kBankedSp = __builtin_offsetof(ArmState, banked_sp);
    constexpr std::size_t kSysReg = __builtin_offsetof(ArmState, sysreg);
    if (within(kGpr, 31 * 8)) return fmt::format("x{}", index(kGpr, 8));
    if (within(kGpr + 31 * 8, 8)) return "sp";
    if (within(kVectors, 32 * 16)) return fmt::format("v{}", index(kVectors, 16));
    if (within(kBankedSp, 16)) return fmt::format("sp_el{}", index(kBankedSp, 8));
    if (within(kSysReg, kSysRegCount * 8))
        return std::string(sysreg_info(static_cast<SysRegId>(index(kSysReg, 8))).name);

    static constexpr struct {
        std::size_t offset;
        const char *name;
    } kOthers[] = {
        {__builtin_offsetof(ir::ExecContext, pc), "pc"},
        {__builtin_offsetof(ir::ExecContext, flags), "nzcv"},
        {__builtin_offsetof(ir::ExecContext, fpsr), "fpsr"},
        {__builtin_offsetof(ir::ExecContext, interrupt_lines), "interrupt_lines"},
        {__builtin_offsetof(ArmState, daif), "daif"},
        {__builtin_offsetof(ArmState, dit), "dit"},
        {__builtin_offsetof(ArmState, ssbs), "ssbs"},
        {__builtin_offsetof(ArmState, btype), "btype"},
        {__builtin_offsetof(ArmState, fpcr), "fpcr"},
    };
    for (const auto &other : kOthers)
        if (within(other.offset, 1)) return other.name;
    return {};
}

} // namespace tandem::arm::a64
