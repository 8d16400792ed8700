// Exclusives, ordered loads and stores, LSE atomics, memory copy and set.
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

using ir::I64;

#define ROW(name) bool Translator::name(Fields<Row::name> f)

// --- exclusives

template <typename F>
bool Translator::load_exclusive(F f, bool acquire) {
    const I64 address = base(f.n());
    set_x(f.t(), b.LoadExclusive(address, atomically(f.s(), acquire, false).pack()));
    return true;
}

template <typename F>
bool Translator::store_exclusive(F f, bool release) {
    const I64 address = base(f.n());
    set_w(f.r(), b.StoreExclusive(address, x(f.t()), atomically(f.s(), false, release).pack()));
    return true;
}

template <typename F>
bool Translator::load_exclusive_pair(F f, bool acquire) {
    const I64 address = base(f.n());
    if (f.s() != 0) {
        const ir::V128 both = b.LoadExclusive128(address, atomically(4, acquire, false).pack());
        set_x(f.t(), b.VGet64(both, 0));
        set_x(f.u(), b.VGet64(both, 1));
    } else {
        const I64 both = b.LoadExclusive(address, atomically(3, acquire, false).pack());
        set_w(f.t(), b.Low32(both));
        set_x(f.u(), lsr(both, 32u));
    }
    return true;
}

template <typename F>
bool Translator::store_exclusive_pair(F f, bool release) {
    const I64 address = base(f.n());
    if (f.s() != 0) {
        const ir::V128 both = b.VCombine(x(f.t()), x(f.u()));
        set_w(f.r(), b.StoreExclusive128(address, both, atomically(4, false, release).pack()));
    } else {
        set_w(f.r(), b.StoreExclusive(address, word_pair(f.t(), f.u()),
                                      atomically(3, false, release).pack()));
    }
    return true;
}

/// Two words as one doubleword; the first at the lower address.
I64 Translator::word_pair(unsigned first, unsigned second) {
    return b.Or64(b.ZeroExtend32(w(first)), shl(x(second), 32u));
}

// clang-format off
ROW(STXR) { return store_exclusive(f, false); }
ROW(STLXR) { return store_exclusive(f, true); }
ROW(LDXR) { return load_exclusive(f, false); }
ROW(LDAXR) { return load_exclusive(f, true); }
ROW(STXP) { return store_exclusive_pair(f, false); }
ROW(STLXP) { return store_exclusive_pair(f, true); }
ROW(LDXP) { return load_exclusive_pair(f, false); }
ROW(LDAXP) { return load_exclusive_pair(f, true); }
// clang-format on

// --- ordered

ROW(STLR) {
    const I64 address = base(f.n());
    store(f.s(), address, x(f.t()), ordered(f.s(), false, true));
    return true;
}

ROW(LDAR) {
    const I64 address = base(f.n());
    load_to(f.t(), f.s(), address, ordered(f.s(), true, false));
    return true;
}

ROW(LDAPR) {
    const I64 address = base(f.n());
    load_to(f.t(), f.s(), address, ordered(f.s(), true, false));
    return true;
}

ROW(STLUR) {
    with_imm9(f, Index::Offset,
              [&](I64 address) { store(f.s(), address, x(f.t()), ordered(f.s(), false, true)); });
    return true;
}

ROW(LDAPUR) {
    with_imm9(f, Index::Offset,
              [&](I64 address) { load_to(f.t(), f.s(), address, ordered(f.s(), true, false)); });
    return true;
}

ROW(LDAPURS) {
    if (f.s() == 3 || (f.s() == 2 && f.z() != 0)) return false;
    with_imm9(f, Index::Offset, [&](I64 address) {
        load_signed_to(f.t(), f.s(), f.z() != 0, address, ordered(f.s(), true, false));
    });
    return true;
}

// --- LSE

template <typename F>
bool Translator::atomic(F f, AtomicKind kind) {
    // A load-op with the zero register as destination is ST<op>, which does not acquire; SWP does.
    const bool acquires = f.a() != 0 && (kind == AtomicKind::Swap || f.t() != 31);
    MemoryOp op = atomically(f.s(), acquires, f.l() != 0);
    op.atomic = kind;
    const I64 operand = x(f.r());
    const I64 address = base(f.n());
    set_x(f.t(), b.AtomicRmw(address, operand, op.pack()));
    return true;
}

// clang-format off
ROW(LDADD) { return atomic(f, AtomicKind::Add); }
ROW(LDCLR) { return atomic(f, AtomicKind::Clear); }
ROW(LDEOR) { return atomic(f, AtomicKind::Xor); }
ROW(LDSET) { return atomic(f, AtomicKind::Set); }
ROW(LDSMAX) { return atomic(f, AtomicKind::SMax); }
ROW(LDSMIN) { return atomic(f, AtomicKind::SMin); }
ROW(LDUMAX) { return atomic(f, AtomicKind::UMax); }
ROW(LDUMIN) { return atomic(f, AtomicKind::UMin); }
ROW(SWP) { return atomic(f, AtomicKind::Swap); }
// clang-format on

ROW(CAS) {
    const I64 address = base(f.n());
    const u64 imm = atomically(f.s(), f.a() != 0, f.l() != 0).pack();
    set_x(f.r(), b.CompareSwap(address, x(f.r()), x(f.t()), imm));
    return true;
}

ROW(CASP) {
    if ((f.r() & 1) != 0 || (f.t() & 1) != 0) return false;
    const I64 address = base(f.n());
    if (f.s() != 0) {
        const ir::V128 expected = b.VCombine(x(f.r()), x(f.r() + 1));
        const ir::V128 desired = b.VCombine(x(f.t()), x(f.t() + 1));
        const ir::V128 old = b.CompareSwap128(address, expected, desired,
                                              atomically(4, f.a() != 0, f.l() != 0).pack());
        set_x(f.r(), b.VGet64(old, 0));
        set_x(f.r() + 1, b.VGet64(old, 1));
    } else {
        const I64 old =
            b.CompareSwap(address, word_pair(f.r(), f.r() + 1), word_pair(f.t(), f.t() + 1),
                          atomically(3, f.a() != 0, f.l() != 0).pack());
        set_w(f.r(), b.Low32(old));
        set_x(f.r() + 1, lsr(old, 32u));
    }
    return true;
}

// --- memory copy and set

/// Registers must differ and be none of SP and XZR, but for the data of a memory set, which may be
/// XZR (Arm ARM C6.2, CPYP and SETP; CONSTRAINED UNPREDICTABLE cases are UNDEFINED).
template <typename F>
bool Translator::memory_copy_set(F f, bool is_set) {
    if (f.d() == f.r() || f.d() == f.n() || f.r() == f.n() || f.d() == 31 || f.n() == 31 ||
        (!is_set && f.r() == 31))
        return false;
    about_to_complete();
    call(HelperId::memory_copy_set, f.word());
    return true;
}

// clang-format off
ROW(CPYFP) { return memory_copy_set(f, false); }
ROW(CPYFM) { return memory_copy_set(f, false); }
ROW(CPYFE) { return memory_copy_set(f, false); }
ROW(CPYP) { return memory_copy_set(f, false); }
ROW(CPYM) { return memory_copy_set(f, false); }
ROW(CPYE) { return memory_copy_set(f, false); }
ROW(SETP) { return memory_copy_set(f, true); }
ROW(SETM) { return memory_copy_set(f, true); }
ROW(SETE) { return memory_copy_set(f, true); }
// clang-format on

} // namespace tandem::arm::a64
