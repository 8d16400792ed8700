// Branches and exception generation (Arm ARM C4.1, "Branches, Exception Generating and System
// instructions").
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

using ir::I64;

#define ROW(name) bool Translator::name(Fields<Row::name> f)
#define ROW_WITHOUT_FIELDS(name) bool Translator::name(Fields<Row::name>)

namespace {

constexpr unsigned kLinkRegister = 30;

} // namespace

// --- direct

ROW(B) {
    return branch(offset_ + f.get_signed<'i'>() * 4);
}

ROW(BL) {
    link();
    const i64 target = offset_ + f.get_signed<'i'>() * 4;
    about_to_complete();
    exit_to(target);
    return true;
}

ROW(B_cond) {
    const i64 target = offset_ + f.get_signed<'i'>() * 4;
    if (f.c() >= static_cast<u32>(Cond::AL)) return branch(target);
    return branch_if(condition(f.c()), target);
}

ROW(CBZ) {
    return branch_if(f.z() != 0 ? b.IsZero64(x(f.t())) : b.IsZero32(w(f.t())),
                     offset_ + f.get_signed<'i'>() * 4);
}

ROW(CBNZ) {
    return branch_if(f.z() != 0 ? b.IsNonZero64(x(f.t())) : b.IsNonZero32(w(f.t())),
                     offset_ + f.get_signed<'i'>() * 4);
}

ROW(TBZ) {
    return branch_if(b.TestBitClear64(x(f.t()), f.b()), offset_ + f.get_signed<'i'>() * 4);
}

ROW(TBNZ) {
    return branch_if(b.TestBit64(x(f.t()), f.b()), offset_ + f.get_signed<'i'>() * 4);
}

/// X30 := the next instruction, which the return stack learns as well.
void Translator::link() {
    set_x(kLinkRegister, b.PcRelative(static_cast<u64>(next_instruction())));
    b.PushReturn(static_cast<u64>(next_instruction()));
}

// --- indirect

ROW(BR) {
    return branch_indirect(x(f.n()), BranchHint::None, f.n());
}

ROW(BLR) {
    const I64 target = x(f.n());
    link();
    return branch_indirect(target, BranchHint::Call, f.n());
}

ROW(RET) {
    return branch_indirect(x(f.n()), BranchHint::Return, f.n());
}

bool Translator::authenticated_branch(HelperId id, unsigned n, I64 modifier, BranchHint hint) {
    const I64 target = authenticate(id, x(n), modifier);
    if (hint == BranchHint::Call) link();
    return branch_indirect(target, hint, n);
}

ROW(BRAAZ) {
    return authenticated_branch(HelperId::auth_ia, f.n(), b.Const64(0), BranchHint::None);
}
ROW(BRABZ) {
    return authenticated_branch(HelperId::auth_ib, f.n(), b.Const64(0), BranchHint::None);
}
// clang-format off
ROW(BRAA) { return authenticated_branch(HelperId::auth_ia, f.n(), x_sp(f.m()), BranchHint::None); }
ROW(BRAB) { return authenticated_branch(HelperId::auth_ib, f.n(), x_sp(f.m()), BranchHint::None); }
// clang-format on
ROW(BLRAAZ) {
    return authenticated_branch(HelperId::auth_ia, f.n(), b.Const64(0), BranchHint::Call);
}
ROW(BLRABZ) {
    return authenticated_branch(HelperId::auth_ib, f.n(), b.Const64(0), BranchHint::Call);
}
// clang-format off
ROW(BLRAA) { return authenticated_branch(HelperId::auth_ia, f.n(), x_sp(f.m()), BranchHint::Call); }
ROW(BLRAB) { return authenticated_branch(HelperId::auth_ib, f.n(), x_sp(f.m()), BranchHint::Call); }
// clang-format on
ROW_WITHOUT_FIELDS(RETAA) {
    return authenticated_branch(HelperId::auth_ia, kLinkRegister, x_sp(31), BranchHint::Return);
}
ROW_WITHOUT_FIELDS(RETAB) {
    return authenticated_branch(HelperId::auth_ib, kLinkRegister, x_sp(31), BranchHint::Return);
}

// --- exception return: UNDEFINED at EL0. The helper replaces PSTATE as a whole, SS and BTYPE too.

// clang-format off
ROW_WITHOUT_FIELDS(ERET) { return mode.el() != 0 && raise(HelperId::return_from_exception, 0); }
ROW_WITHOUT_FIELDS(ERETAA) { return mode.el() != 0 && raise(HelperId::return_from_exception, 1); }
ROW_WITHOUT_FIELDS(ERETAB) { return mode.el() != 0 && raise(HelperId::return_from_exception, 2); }
// clang-format on
// Debug state does not exist here: UNDEFINED outside it.
ROW_WITHOUT_FIELDS(DRPS) {
    return false;
}

// --- exception generation

ROW(SVC) {
    return raise(HelperId::raise_svc, f.i());
}

ROW(HVC) {
    if (mode.el() == 0) return false;
    about_to_complete();
    return raise(HelperId::raise_hvc, f.i());
}

ROW(SMC) {
    if (mode.el() == 0) return false;
    about_to_complete();
    return raise(HelperId::raise_smc, f.i());
}

ROW(BRK) {
    return raise(HelperId::raise_brk, f.i());
}

// Halting debug is not implemented: UNDEFINED, like DCPSn outside Debug state. But for one number,
// by which a debugger, or we, would know a semihosting call.
ROW(HLT) {
    static constexpr u32 kSemihosting = 0xf000;
    if (f.i() != kSemihosting || mode.el() == 0) return false;
    about_to_complete();
    return raise(HelperId::semihosting_call);
}

// clang-format off
ROW_WITHOUT_FIELDS(DCPS1) { return false; }
ROW_WITHOUT_FIELDS(DCPS2) { return false; }
ROW_WITHOUT_FIELDS(DCPS3) { return false; }
ROW_WITHOUT_FIELDS(UDF) { return false; }
// clang-format on

} // namespace tandem::arm::a64
