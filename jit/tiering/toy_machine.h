#pragma once
/// For tests: what runs the toy architecture, and its helpers.
#include "jit/softmmu/fake_machine.h"
#include "jit/tiering/engine.h"
#include "jit/tiering/toy_frontend.h"

namespace tandem::jit::test {

struct ToyState : ir::ExecContext {
    Engine *engine = nullptr;
    FakeMmu *mmu = nullptr;
    u64 exceptions = 0;
};

inline u64 halt(ir::ExecContext &ctx, u64 next, u64, u64, u64, u64) {
    ctx.pc = next;
    ctx.pending_exit = ir::PendingExit::Halt;
    return 0;
}
inline u64 undefined(ir::ExecContext &ctx, u64, u64, u64, u64, u64) {
    ++static_cast<ToyState &>(ctx).exceptions;
    ctx.pc = FakeMmu::kHandler;
    ctx.pending_exit = ir::PendingExit::Resume;
    return 0;
}
inline u64 invalidate_page(ir::ExecContext &ctx, u64 va, u64, u64, u64, u64) {
    static_cast<ToyState &>(ctx).engine->tlb_control().invalidate(
        ctx, {.scope = ir::TlbInvalidation::Scope::RangeGlobal, .broadcast = true, .va = va});
    return 0;
}
inline u64 complete(ir::ExecContext &ctx, u64, u64, u64, u64, u64) {
    static_cast<ToyState &>(ctx).engine->tlb_control().complete(ctx);
    return 0;
}
inline u64 switch_address_space(ir::ExecContext &ctx, u64 asid, u64, u64, u64, u64) {
    auto &s = static_cast<ToyState &>(ctx);
    s.mmu->asid = static_cast<u16>(asid);
    s.engine->tlb_control().set_address_space(ctx, static_cast<u16>(asid));
    return 0;
}
enum HelperId : i16 { kHalt, kUndefined, kInvalidate, kComplete, kSwitch };
inline const std::array<ir::Helper, 5> kHelpers{{
    {"halt", halt, true, true},
    {"undefined", undefined, true, true},
    {"invalidate", invalidate_page, true, true},
    {"complete", complete, true, true},
    {"switch", switch_address_space, true, true},
}};

} // namespace tandem::jit::test
