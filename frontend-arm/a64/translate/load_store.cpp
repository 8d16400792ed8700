// Loads and stores of general registers and of single SIMD&FP registers.
//
// A base register is written back after the access, when nothing can fault any more. Where a loaded
// register is the written-back one (CONSTRAINED UNPREDICTABLE), the write-back wins; a store of it
// stores the old value.
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

using ir::I64;

#define ROW(name) bool Translator::name(Fields<Row::name> f)
#define ROW_WITHOUT_FIELDS(name) bool Translator::name(Fields<Row::name>)

// --- transfers between registers and memory

void Translator::load_to(unsigned t, unsigned size_log2, I64 address, MemoryOp op) {
    set_x(t, load(size_log2, address, op));
}

void Translator::load_signed_to(unsigned t, unsigned size_log2, bool to_32_bit, I64 address,
                                MemoryOp op) {
    const I64 value = load(size_log2, address, op);
    const I64 extended = size_log2 == 0   ? b.SignExtend8(value)
                         : size_log2 == 1 ? b.SignExtend16(value)
                                          : b.SignExtend32(b.Low32(value));
    set_x(t, to_32_bit ? b.ZeroExtend32(b.Low32(extended)) : extended);
}

void Translator::load_fp_to(unsigned t, unsigned size_log2, I64 address, MemoryOp op) {
    switch (size_log2) {
    case 0: set_v(t, b.VFromI64(b.Load8(address, op.pack()))); break;
    case 1: set_h(t, b.LoadF16(address, op.pack())); break;
    case 2: set_s(t, b.LoadF32(address, op.pack())); break;
    case 3: set_d(t, b.LoadF64(address, op.pack())); break;
    default: set_v(t, b.LoadV128(address, op.pack())); break;
    }
}

void Translator::store_fp_from(unsigned t, unsigned size_log2, I64 address, MemoryOp op) {
    switch (size_log2) {
    case 0: b.Store8(address, b.VGet8(v(t), 0), op.pack()); break;
    case 1: b.StoreF16(address, h(t), op.pack()); break;
    case 2: b.StoreF32(address, s(t), op.pack()); break;
    case 3: b.StoreF64(address, d(t), op.pack()); break;
    default: b.StoreV128(address, v(t), op.pack()); break;
    }
}

namespace {

/// Size of a SIMD&FP access: size and opc<1>, which selects 128 bits. Nothing for reserved values.
constexpr int fp_size_log2(u32 size, u32 is_quad) {
    if (is_quad == 0) return static_cast<int>(size);
    return size == 0 ? 4 : -1;
}

} // namespace

// --- 9-bit signed offset

template <typename F>
bool Translator::single_imm9(F f, Index index, MemoryOp op, bool is_load) {
    with_imm9(f, index, [&](I64 address) {
        if (is_load)
            load_to(f.t(), f.s(), address, op);
        else
            store(f.s(), address, x(f.t()), op);
    });
    return true;
}

template <typename F>
bool Translator::single_imm9_signed(F f, Index index, MemoryOp op) {
    if (f.s() == 3 || (f.s() == 2 && f.z() != 0)) return false;
    with_imm9(f, index,
              [&](I64 address) { load_signed_to(f.t(), f.s(), f.z() != 0, address, op); });
    return true;
}

template <typename F>
bool Translator::single_imm9_fp(F f, Index index, bool is_load) {
    const int size = fp_size_log2(f.s(), f.q());
    if (size < 0) return false;
    with_imm9(f, index, [&](I64 address) {
        if (is_load)
            load_fp_to(f.t(), static_cast<unsigned>(size), address, ordinary());
        else
            store_fp_from(f.t(), static_cast<unsigned>(size), address, ordinary());
    });
    return true;
}

// clang-format off
ROW(STUR) { return single_imm9(f, Index::Offset, ordinary(), false); }
ROW(LDUR) { return single_imm9(f, Index::Offset, ordinary(), true); }
ROW(LDURS) { return single_imm9_signed(f, Index::Offset, ordinary()); }
ROW(STR_post) { return single_imm9(f, Index::Post, ordinary(), false); }
ROW(LDR_post) { return single_imm9(f, Index::Post, ordinary(), true); }
ROW(LDRS_post) { return single_imm9_signed(f, Index::Post, ordinary()); }
ROW(STR_pre) { return single_imm9(f, Index::Pre, ordinary(), false); }
ROW(LDR_pre) { return single_imm9(f, Index::Pre, ordinary(), true); }
ROW(LDRS_pre) { return single_imm9_signed(f, Index::Pre, ordinary()); }
ROW(STTR) { return single_imm9(f, Index::Offset, unprivileged(), false); }
ROW(LDTR) { return single_imm9(f, Index::Offset, unprivileged(), true); }
ROW(LDTRS) { return single_imm9_signed(f, Index::Offset, unprivileged()); }
ROW(STUR_fp) { return single_imm9_fp(f, Index::Offset, false); }
ROW(LDUR_fp) { return single_imm9_fp(f, Index::Offset, true); }
ROW(STR_post_fp) { return single_imm9_fp(f, Index::Post, false); }
ROW(LDR_post_fp) { return single_imm9_fp(f, Index::Post, true); }
ROW(STR_pre_fp) { return single_imm9_fp(f, Index::Pre, false); }
ROW(LDR_pre_fp) { return single_imm9_fp(f, Index::Pre, true); }
// clang-format on

// --- 12-bit unsigned scaled offset

I64 Translator::scaled_address(unsigned n, u64 offset) {
    const I64 start = base(n);
    return offset == 0 ? start : b.Add64(start, b.Const64(offset));
}

ROW(STR_imm) {
    store(f.s(), scaled_address(f.n(), u64{f.i()} << f.s()), x(f.t()), ordinary());
    return true;
}

ROW(LDR_imm) {
    load_to(f.t(), f.s(), scaled_address(f.n(), u64{f.i()} << f.s()), ordinary());
    return true;
}

ROW(LDRS_imm) {
    if (f.s() == 3 || (f.s() == 2 && f.z() != 0)) return false;
    load_signed_to(f.t(), f.s(), f.z() != 0, scaled_address(f.n(), u64{f.i()} << f.s()),
                   ordinary());
    return true;
}

ROW(STR_imm_fp) {
    const int size = fp_size_log2(f.s(), f.q());
    if (size < 0) return false;
    store_fp_from(f.t(), static_cast<unsigned>(size), scaled_address(f.n(), u64{f.i()} << size),
                  ordinary());
    return true;
}

ROW(LDR_imm_fp) {
    const int size = fp_size_log2(f.s(), f.q());
    if (size < 0) return false;
    load_fp_to(f.t(), static_cast<unsigned>(size), scaled_address(f.n(), u64{f.i()} << size),
               ordinary());
    return true;
}

// --- register offset

template <typename F, typename Access>
bool Translator::with_register_offset(F f, unsigned size_log2, Access access) {
    if ((f.o() & 2) == 0) return false; // only words and doublewords are extended
    const I64 start = base(f.n());
    access(b.Add64(start, extended(f.m(), f.o(), f.b() != 0 ? size_log2 : 0)));
    return true;
}

ROW(STR_reg) {
    return with_register_offset(f, f.s(),
                                [&](I64 address) { store(f.s(), address, x(f.t()), ordinary()); });
}

ROW(LDR_reg) {
    return with_register_offset(f, f.s(),
                                [&](I64 address) { load_to(f.t(), f.s(), address, ordinary()); });
}

ROW(LDRS_reg) {
    if (f.s() == 3 || (f.s() == 2 && f.z() != 0)) return false;
    return with_register_offset(f, f.s(), [&](I64 address) {
        load_signed_to(f.t(), f.s(), f.z() != 0, address, ordinary());
    });
}

ROW(STR_reg_fp) {
    const int size = fp_size_log2(f.s(), f.q());
    return size >= 0 && with_register_offset(f, static_cast<unsigned>(size), [&](I64 address) {
               store_fp_from(f.t(), static_cast<unsigned>(size), address, ordinary());
           });
}

ROW(LDR_reg_fp) {
    const int size = fp_size_log2(f.s(), f.q());
    return size >= 0 && with_register_offset(f, static_cast<unsigned>(size), [&](I64 address) {
               load_fp_to(f.t(), static_cast<unsigned>(size), address, ordinary());
           });
}

// --- literal

I64 Translator::literal_address(i64 offset) {
    return b.PcRelative(static_cast<u64>(offset_ + offset));
}

ROW(LDR_lit) {
    load_to(f.t(), f.s() != 0 ? 3 : 2, literal_address(f.get_signed<'i'>() * 4), ordinary());
    return true;
}

ROW(LDRSW_lit) {
    load_signed_to(f.t(), 2, false, literal_address(f.get_signed<'i'>() * 4), ordinary());
    return true;
}

ROW(LDR_lit_fp) {
    if (f.s() == 3) return false;
    load_fp_to(f.t(), 2 + f.s(), literal_address(f.get_signed<'i'>() * 4), ordinary());
    return true;
}

// --- prefetch: no effect that the guest could observe

// clang-format off
ROW_WITHOUT_FIELDS(PRFM_lit) { return true; }
ROW_WITHOUT_FIELDS(PRFM_imm) { return true; }
ROW_WITHOUT_FIELDS(PRFUM) { return true; }
ROW(PRFM_reg) { return (f.o() & 2) != 0; }
// clang-format on

// --- pairs

template <typename F, typename Access>
void Translator::with_imm7(F f, Index index, unsigned size_log2, Access access) {
    const i64 offset = f.template get_signed<'i'>() * (i64{1} << size_log2);
    const I64 start = base(f.n());
    const I64 moved = offset == 0 ? start : b.Add64(start, b.Const64(static_cast<u64>(offset)));
    access(index == Index::Post ? start : moved);
    if (index != Index::Offset) write_back(f.n(), moved, offset);
}

template <typename F>
bool Translator::pair(F f, Index index, bool is_load) {
    const bool is_64_bit = f.z() != 0;
    const u64 imm = ordinary().pack();
    with_imm7(f, index, is_64_bit ? 3 : 2, [&](I64 address) {
        if (is_load) {
            const I64 first = is_64_bit ? b.LoadPair64(address, imm) : b.LoadPair32(address, imm);
            const I64 second = b.Second();
            set_x(f.t(), first);
            set_x(f.u(), second);
        } else {
            const I64 first = x(f.t());
            const I64 second = x(f.u());
            if (is_64_bit)
                b.StorePair64(address, first, second, imm);
            else
                b.StorePair32(address, first, second, imm);
        }
    });
    return true;
}

template <typename F>
bool Translator::pair_signed(F f, Index index) {
    with_imm7(f, index, 2, [&](I64 address) {
        const I64 first = b.LoadPair32(address, ordinary().pack());
        const I64 second = b.Second();
        set_x(f.t(), b.SignExtend32(b.Low32(first)));
        set_x(f.u(), b.SignExtend32(b.Low32(second)));
    });
    return true;
}

template <typename F>
bool Translator::pair_fp(F f, Index index, bool is_load) {
    if (f.s() == 3) return false;
    const u64 imm = ordinary().pack();
    with_imm7(f, index, 2 + f.s(), [&](I64 address) {
        if (is_load && f.s() == 0) {
            const ir::F32 first = b.LoadPairF32(address, imm);
            const ir::F32 second = b.SecondF32();
            set_s(f.t(), first);
            set_s(f.u(), second);
        } else if (is_load && f.s() == 1) {
            const ir::F64 first = b.LoadPairF64(address, imm);
            const ir::F64 second = b.SecondF64();
            set_d(f.t(), first);
            set_d(f.u(), second);
        } else if (is_load) {
            const ir::V128 first = b.LoadPairV128(address, imm);
            const ir::V128 second = b.SecondV128();
            set_v(f.t(), first);
            set_v(f.u(), second);
        } else if (f.s() == 0) {
            b.StorePairF32(address, s(f.t()), s(f.u()), imm);
        } else if (f.s() == 1) {
            b.StorePairF64(address, d(f.t()), d(f.u()), imm);
        } else {
            b.StorePairV128(address, v(f.t()), v(f.u()), imm);
        }
    });
    return true;
}

// clang-format off
ROW(STNP) { return pair(f, Index::Offset, false); }
ROW(LDNP) { return pair(f, Index::Offset, true); }
ROW(STP_post) { return pair(f, Index::Post, false); }
ROW(LDP_post) { return pair(f, Index::Post, true); }
ROW(STP_off) { return pair(f, Index::Offset, false); }
ROW(LDP_off) { return pair(f, Index::Offset, true); }
ROW(STP_pre) { return pair(f, Index::Pre, false); }
ROW(LDP_pre) { return pair(f, Index::Pre, true); }
ROW(LDPSW_post) { return pair_signed(f, Index::Post); }
ROW(LDPSW_off) { return pair_signed(f, Index::Offset); }
ROW(LDPSW_pre) { return pair_signed(f, Index::Pre); }
ROW(STNP_fp) { return pair_fp(f, Index::Offset, false); }
ROW(LDNP_fp) { return pair_fp(f, Index::Offset, true); }
ROW(STP_post_fp) { return pair_fp(f, Index::Post, false); }
ROW(LDP_post_fp) { return pair_fp(f, Index::Post, true); }
ROW(STP_off_fp) { return pair_fp(f, Index::Offset, false); }
ROW(LDP_off_fp) { return pair_fp(f, Index::Offset, true); }
ROW(STP_pre_fp) { return pair_fp(f, Index::Pre, false); }
ROW(LDP_pre_fp) { return pair_fp(f, Index::Pre, true); }
// clang-format on

// --- pointer authentication

ROW(LDRAA) {
    const i64 offset = sign_extend(f.j() << 9 | f.i(), 10) * 8;
    const I64 pointer = base(f.n());
    const I64 authentic =
        authenticate(f.k() != 0 ? HelperId::auth_db : HelperId::auth_da, pointer, b.Const64(0));
    const I64 address = b.Add64(authentic, b.Const64(static_cast<u64>(offset)));
    load_to(f.t(), 3, address, ordinary());
    if (f.w() != 0) set_x_sp(f.n(), address);
    return true;
}

} // namespace tandem::arm::a64
