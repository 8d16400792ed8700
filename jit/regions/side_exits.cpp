#include "jit/regions/side_exits.h"

#include "jit/baseline/out_of_line.h"
#include "support/check.h"

#include <xmmintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace tandem::jit {
namespace {

using ir::ExecContext;
using ir::Vec;

constexpr u32 kDefaultMxcsr = 0x1f80;

/// Reads the values of a site one after the other.
class Values {
public:
    Values(const SavedRegisters &saved, const SideTable &table, u32 first)
        : saved_(saved), table_(table), at_(table.locations.data() + first) {}

    Vec next() {
        const HostLocation &where = *at_++;
        Vec result{};
        const void *from = &result;
        switch (where.kind) {
        case HostLocation::Kind::Gpr: from = &saved_.gpr[where.reg]; break;
        case HostLocation::Kind::Xmm: from = &saved_.vector[where.reg]; break;
        case HostLocation::Kind::Memory:
            from = std::bit_cast<const std::byte *>(saved_.gpr[where.reg]) + where.value;
            break;
        case HostLocation::Kind::Constant:
            result.d[0] = static_cast<u64>(i64{where.value});
            return result;
        case HostLocation::Kind::WideConstant:
            result.d[0] = table_.constants[static_cast<u32>(where.value)];
            return result;
        }
        std::memcpy(&result, from, where.bytes);
        return result;
    }

private:
    const SavedRegisters &saved_;
    const SideTable &table_;
    const HostLocation *at_;
};

const SideTable::Site &find_site(const SideTable &table, const std::byte *return_address) {
    const std::byte *code = table.code.load(std::memory_order_acquire);
    const auto offset = static_cast<u32>(return_address - code);
    const auto site =
        std::ranges::lower_bound(table.sites, offset, {}, &SideTable::Site::return_offset);
    CHECK(site != table.sites.end() && site->return_offset == offset);
    return *site;
}

void store_state(ExecContext &ctx, const SideExit &exit, Values &values) {
    for (const SideExit::Slot &slot : exit.slots) {
        if (slot.is_flags) {
            const auto form = static_cast<FlagsForm>(values.next().d[0]);
            const u64 a = values.next().d[0];
            ctx.flags = evaluate_flags(form, a, values.next().d[0]);
            continue;
        }
        const Vec value = values.next();
        std::memcpy(reinterpret_cast<std::byte *>(&ctx) + slot.offset, &value, slot.size);
    }
}

/// N, Z, C, V of an addition with carry, as AddWithCarry() says.
template <typename T>
u32 add_flags(T a, T b, bool carry) {
    constexpr unsigned kTop = sizeof(T) * 8 - 1;
    const T partial = a + b;
    const T sum = partial + carry;
    const bool is_carry = partial < a || sum < partial;
    return (sum >> kTop != 0 ? ir::kFlagN : 0) | (sum == 0 ? ir::kFlagZ : 0) |
           (is_carry ? ir::kFlagC : 0) | (((a ^ sum) & (b ^ sum)) >> kTop != 0 ? ir::kFlagV : 0);
}
template <typename T>
u32 logic_flags(T result) {
    return add_flags<T>(result, 0, false);
}
template <typename T>
u32 compare_flags(T a, T b) {
    if (a < b) return ir::kFlagN;
    if (a > b) return ir::kFlagC;
    return a == b ? ir::kFlagZ | ir::kFlagC : ir::kFlagC | ir::kFlagV;
}

} // namespace

u32 evaluate_flags(FlagsForm form, u64 a, u64 b) {
    const auto a32 = static_cast<u32>(a);
    const auto b32 = static_cast<u32>(b);
    switch (form) {
    case FlagsForm::Packed: return a32;
    case FlagsForm::Subtraction32: return add_flags<u32>(a32, ~b32, true);
    case FlagsForm::Subtraction64: return add_flags<u64>(a, ~b, true);
    case FlagsForm::Addition32: return add_flags<u32>(a32, b32, false);
    case FlagsForm::Addition64: return add_flags<u64>(a, b, false);
    case FlagsForm::Logic32: return logic_flags<u32>(a32);
    case FlagsForm::Logic64: return logic_flags<u64>(a);
    case FlagsForm::Compare32:
        return compare_flags(std::bit_cast<float>(a32), std::bit_cast<float>(b32));
    case FlagsForm::Compare64:
        return compare_flags(std::bit_cast<double>(a), std::bit_cast<double>(b));
    }
    CHECK(false);
    return 0;
}

bool take_side_exit(ExecContext &ctx, const SavedRegisters &saved, const SideTable &table,
                    const std::byte *return_address) {
    const SideTable::Site &site = find_site(table, return_address);
    const SideExit &exit = table.exits[site.exit];
    Values values(saved, table, site.first_location);
    // What is left after this instruction.
    i64 budget = 0;
    if (exit.kind != SideExitKind::Thunk)
        budget = static_cast<i64>(values.next().d[0]) - exit.retired + ir::kMaxBlockInstructions;
    for (u32 i = 0; i < exit.arguments; ++i) ctx.scratch[i] = values.next();
    store_state(ctx, exit, values);
    const u64 pc = ctx.pc_page + static_cast<u64>(exit.page) + ir::insn_page_offset(exit.insn);
    switch (exit.kind) {
    case SideExitKind::Thunk:
        out_of_line_thunk(ctx, exit.op, exit.imm, &ctx.scratch[0], &ctx.scratch[4]);
        return false;
    case SideExitKind::Memory:
        ctx.pc = pc;
        out_of_line_memory(ctx, exit.op, exit.imm, &ctx.scratch[0], &ctx.scratch[4]);
        if (ctx.pending_exit == ir::PendingExit::None) return false;
        break;
    case SideExitKind::Leave: ctx.pc = ctx.pc_page + exit.imm; break;
    case SideExitKind::Raise:
        ctx.pc = pc;
        ctx.budget = budget + 1; // helpers count up to the current instruction
        _mm_setcsr(kDefaultMxcsr);
        exit.helper(ctx, 0, 0, 0, 0, exit.imm >> 16);
        break;
    }
    ctx.budget = budget;
    return true;
}

} // namespace tandem::jit
