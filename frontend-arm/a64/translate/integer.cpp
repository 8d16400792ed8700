// Data processing on integer registers (Arm ARM C4.1, "Data Processing -- Immediate" and
// "-- Register").
#include "frontend-arm/a64/translate/bitmask.h"
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

using ir::I32;
using ir::I64;

#define ROW(name) bool Translator::name(Fields<Row::name> f)

// --- addresses

ROW(ADR) {
    const i64 imm = sign_extend(f.i() << 2 | f.j(), 21);
    set_x(f.d(), b.PcRelative(static_cast<u64>(offset_ + imm)));
    return true;
}

ROW(ADRP) {
    const i64 imm = sign_extend(f.i() << 2 | f.j(), 21);
    set_x(f.d(), b.PcRelative(static_cast<u64>(imm) << 12));
    return true;
}

// --- add and subtract

template <typename T>
void Translator::add_sub(unsigned d, T a, T c, bool is_sub, bool sets_flags) {
    if (sets_flags) {
        const ir::Flags result_flags = is_sub ? sub_flags(a, c) : add_flags(a, c);
        if (d != 31) set_reg(d, is_sub ? sub(a, c) : add(a, c));
        set_flags(result_flags);
    } else {
        set_reg(d, is_sub ? sub(a, c) : add(a, c));
    }
}

template <typename F>
bool Translator::add_sub_immediate(F f, bool is_sub, bool sets_flags) {
    const u64 imm = u64{f.i()} << (f.s() != 0 ? 12 : 0);
    const bool sp_stays_aligned = sp_is_aligned_ && f.n() == 31 && imm % 16 == 0;
    const auto body = [&]<typename T>(T a) {
        const T c = constant<T>(imm);
        if (sets_flags)
            add_sub(f.d(), a, c, is_sub, true);
        else if (imm == 0)
            set_reg_sp(f.d(), a); // MOV (to/from SP)
        else
            set_reg_sp(f.d(), is_sub ? sub(a, c) : add(a, c));
    };
    if (f.z() != 0)
        body(x_sp(f.n()));
    else
        body(w_sp(f.n()));
    if (f.d() == 31 && !sets_flags && f.z() != 0) sp_is_aligned_ = sp_stays_aligned;
    return true;
}

// clang-format off
ROW(ADD_imm) { return add_sub_immediate(f, false, false); }
ROW(ADDS_imm) { return add_sub_immediate(f, false, true); }
ROW(SUB_imm) { return add_sub_immediate(f, true, false); }
ROW(SUBS_imm) { return add_sub_immediate(f, true, true); }
// clang-format on

/// Register m shifted by a constant: type 0 LSL, 1 LSR, 2 ASR, 3 ROR.
template <typename T>
T Translator::shifted(unsigned m, unsigned type, unsigned amount) {
    const T value = reg<T>(m);
    switch (type) {
    case 0: return shl(value, amount);
    case 1: return lsr(value, amount);
    case 2: return asr(value, amount);
    default: return ror(value, amount);
    }
}

template <typename F>
bool Translator::add_sub_shifted(F f, bool is_sub, bool sets_flags) {
    if (f.s() == 3) return false;
    if (f.z() != 0) {
        add_sub(f.d(), x(f.n()), shifted<I64>(f.m(), f.s(), f.i()), is_sub, sets_flags);
    } else {
        if (f.i() >= 32) return false;
        add_sub(f.d(), w(f.n()), shifted<I32>(f.m(), f.s(), f.i()), is_sub, sets_flags);
    }
    return true;
}

// clang-format off
ROW(ADD_reg) { return add_sub_shifted(f, false, false); }
ROW(ADDS_reg) { return add_sub_shifted(f, false, true); }
ROW(SUB_reg) { return add_sub_shifted(f, true, false); }
ROW(SUBS_reg) { return add_sub_shifted(f, true, true); }
// clang-format on

/// Arm ARM, ExtendReg(): option 0-3 UXTB, UXTH, UXTW, UXTX, 4-7 the signed ones.
I64 Translator::extended(unsigned m, unsigned option, unsigned shift) {
    const auto extend = [&]() -> I64 {
        switch (option) {
        case 0: return b.ZeroExtend8(x(m));
        case 1: return b.ZeroExtend16(x(m));
        case 2: return b.ZeroExtend32(w(m));
        case 4: return b.SignExtend8(x(m));
        case 5: return b.SignExtend16(x(m));
        case 6: return b.SignExtend32(w(m));
        default: return x(m);
        }
    };
    return shl(extend(), shift);
}

template <typename F>
bool Translator::add_sub_extended(F f, bool is_sub, bool sets_flags) {
    if (f.i() > 4) return false;
    const auto body = [&]<typename T>(T a, T c) {
        if (sets_flags)
            add_sub(f.d(), a, c, is_sub, true);
        else
            set_reg_sp(f.d(), is_sub ? sub(a, c) : add(a, c));
    };
    if (f.z() != 0) {
        body(x_sp(f.n()), extended(f.m(), f.o(), f.i()));
    } else {
        const bool whole_word = (f.o() & 2) != 0;
        const I32 value =
            whole_word ? shl(w(f.m()), f.i()) : b.Low32(extended(f.m(), f.o(), f.i()));
        body(w_sp(f.n()), value);
    }
    return true;
}

// clang-format off
ROW(ADD_ext) { return add_sub_extended(f, false, false); }
ROW(ADDS_ext) { return add_sub_extended(f, false, true); }
ROW(SUB_ext) { return add_sub_extended(f, true, false); }
ROW(SUBS_ext) { return add_sub_extended(f, true, true); }
// clang-format on

template <typename F>
bool Translator::add_sub_carry(F f, bool is_sub, bool sets_flags) {
    const auto body = [&]<typename T>(T a, T c) {
        const ir::Flags carry = flags();
        const T result = is_sub ? sub_carry(a, c, carry) : add_carry(a, c, carry);
        if (sets_flags)
            set_flags(is_sub ? sub_carry_flags(a, c, carry) : add_carry_flags(a, c, carry));
        set_reg(f.d(), result);
    };
    if (f.z() != 0)
        body(x(f.n()), x(f.m()));
    else
        body(w(f.n()), w(f.m()));
    return true;
}

// clang-format off
ROW(ADC) { return add_sub_carry(f, false, false); }
ROW(ADCS) { return add_sub_carry(f, false, true); }
ROW(SBC) { return add_sub_carry(f, true, false); }
ROW(SBCS) { return add_sub_carry(f, true, true); }
// clang-format on

// --- logical

namespace {

enum class Logic : u8 { And, Or, Xor, AndNot, OrNot, XorNot };

template <typename T>
T apply(Emitter &e, Logic op, T a, T c) {
    switch (op) {
    case Logic::And: return e.bit_and(a, c);
    case Logic::Or: return e.bit_or(a, c);
    case Logic::Xor: return e.bit_xor(a, c);
    case Logic::AndNot: return e.and_not(a, c);
    case Logic::OrNot: return e.bit_or(a, e.bit_not(c));
    case Logic::XorNot: return e.bit_xor(a, e.bit_not(c));
    }
    return a;
}

} // namespace

template <typename F>
bool Translator::logical_immediate(F f) {
    constexpr bool sets_flags = F::kRow == Row::ANDS_imm;
    constexpr Logic op = F::kRow == Row::ORR_imm   ? Logic::Or
                         : F::kRow == Row::EOR_imm ? Logic::Xor
                                                   : Logic::And;
    const unsigned width = f.z() != 0 ? 64 : 32;
    const std::optional<u64> mask = decode_bit_mask(f.u() != 0, f.s(), f.r(), width);
    if (!mask.has_value()) return false;
    const auto body = [&]<typename T>(T a) {
        const T c = constant<T>(*mask);
        // ORR from the zero register is MOV.
        const T result = op == Logic::Or && f.n() == 31 ? c : apply(*this, op, a, c);
        if constexpr (sets_flags) {
            set_flags(logic_flags(result));
            set_reg(f.d(), result);
        } else {
            set_reg_sp(f.d(), result);
        }
    };
    if (f.z() != 0)
        body(x(f.n()));
    else
        body(w(f.n()));
    return true;
}

// clang-format off
ROW(AND_imm) { return logical_immediate(f); }
ROW(ORR_imm) { return logical_immediate(f); }
ROW(EOR_imm) { return logical_immediate(f); }
ROW(ANDS_imm) { return logical_immediate(f); }
// clang-format on

template <typename F>
bool Translator::logical_shifted(F f) {
    constexpr bool sets_flags = F::kRow == Row::ANDS_reg || F::kRow == Row::BICS_reg;
    constexpr Logic op = F::kRow == Row::ORR_reg                               ? Logic::Or
                         : F::kRow == Row::EOR_reg                             ? Logic::Xor
                         : F::kRow == Row::ORN_reg                             ? Logic::OrNot
                         : F::kRow == Row::EON_reg                             ? Logic::XorNot
                         : F::kRow == Row::BIC_reg || F::kRow == Row::BICS_reg ? Logic::AndNot
                                                                               : Logic::And;
    if (f.z() == 0 && f.i() >= 32) return false;
    const auto body = [&]<typename T>(T c) {
        // From the zero register, ORR is MOV and ORN is MVN.
        const T result = op == Logic::Or && f.n() == 31      ? c
                         : op == Logic::OrNot && f.n() == 31 ? bit_not(c)
                                                             : apply(*this, op, reg<T>(f.n()), c);
        if constexpr (sets_flags) set_flags(logic_flags(result));
        set_reg(f.d(), result);
    };
    if (f.z() != 0)
        body(shifted<I64>(f.m(), f.s(), f.i()));
    else
        body(shifted<I32>(f.m(), f.s(), f.i()));
    return true;
}

// clang-format off
ROW(AND_reg) { return logical_shifted(f); }
ROW(BIC_reg) { return logical_shifted(f); }
ROW(ORR_reg) { return logical_shifted(f); }
ROW(ORN_reg) { return logical_shifted(f); }
ROW(EOR_reg) { return logical_shifted(f); }
ROW(EON_reg) { return logical_shifted(f); }
ROW(ANDS_reg) { return logical_shifted(f); }
ROW(BICS_reg) { return logical_shifted(f); }
// clang-format on

// --- moves and bit fields

ROW(MOVN) {
    if (f.z() == 0 && f.h() >= 2) return false;
    const u64 value = ~(u64{f.i()} << (f.h() * 16));
    set_x(f.d(), b.Const64(f.z() != 0 ? value : value & 0xffffffff));
    return true;
}

ROW(MOVZ) {
    if (f.z() == 0 && f.h() >= 2) return false;
    set_x(f.d(), b.Const64(u64{f.i()} << (f.h() * 16)));
    return true;
}

ROW(MOVK) {
    if (f.z() == 0 && f.h() >= 2) return false;
    const u64 field = f.h() * 16 | 16 << 8;
    if (f.z() != 0)
        set_x(f.d(), b.BitfieldInsert64(x(f.d()), b.Const64(f.i()), field));
    else
        set_w(f.d(), b.BitfieldInsert32(w(f.d()), b.Const32(f.i()), field));
    return true;
}

template <typename F>
bool Translator::bitfield(F f) {
    const unsigned width = f.z() != 0 ? 64 : 32;
    const unsigned immr = f.r();
    const unsigned imms = f.s();
    if (f.u() != f.z() || immr >= width || imms >= width) return false;
    // Either a field at immr moves down to bit 0, or one at bit 0 moves up to width - immr.
    const bool moves_down = imms >= immr;
    const unsigned length = moves_down ? imms - immr + 1 : imms + 1;
    const unsigned up = moves_down ? 0 : width - immr;
    const auto body = [&]<typename T>(T source) -> T {
        if constexpr (F::kRow == Row::BFM) {
            const T field = moves_down ? lsr(source, immr) : source;
            return bitfield_insert(reg<T>(f.d()), field, up | length << 8);
        } else if constexpr (F::kRow == Row::UBFM) {
            if (moves_down)
                return imms == width - 1 ? lsr(source, immr)
                                         : bitfield_extract(source, immr | length << 8);
            if (length + up == width) return shl(source, up); // LSL
            return shl(bitfield_extract(source, length << 8), up);
        } else {
            if (moves_down)
                return imms == width - 1 ? asr(source, immr)
                                         : bitfield_extract_signed(source, immr | length << 8);
            return shl(bitfield_extract_signed(source, length << 8), up);
        }
    };
    if (f.z() != 0) {
        if (F::kRow == Row::SBFM && immr == 0 && imms == 31)
            set_x(f.d(), b.SignExtend32(w(f.n()))); // SXTW
        else
            set_x(f.d(), body(x(f.n())));
    } else {
        set_w(f.d(), body(w(f.n())));
    }
    return true;
}

// clang-format off
ROW(SBFM) { return bitfield(f); }
ROW(BFM) { return bitfield(f); }
ROW(UBFM) { return bitfield(f); }
// clang-format on

ROW(EXTR) {
    if (f.u() != f.z() || (f.z() == 0 && f.s() >= 32)) return false;
    const auto body = [&]<typename T>(T high, T low) {
        set_reg(f.d(), f.n() == f.m() ? ror(low, f.s())
                       : f.s() == 0   ? low
                                      : extract(high, low, f.s()));
    };
    if (f.z() != 0)
        body(x(f.n()), x(f.m()));
    else
        body(w(f.n()), w(f.m()));
    return true;
}

// --- two sources

template <typename F>
bool Translator::two_sources(F f) {
    const auto body = [&]<typename T>(T a, T c) {
        switch (F::kRow) {
        case Row::UDIV: set_reg(f.d(), divide_unsigned(a, c)); break;
        case Row::SDIV: set_reg(f.d(), divide_signed(a, c)); break;
        case Row::LSLV: set_reg(f.d(), shl(a, c)); break;
        case Row::LSRV: set_reg(f.d(), lsr(a, c)); break;
        case Row::ASRV: set_reg(f.d(), asr(a, c)); break;
        default: set_reg(f.d(), ror(a, c)); break;
        }
    };
    if (f.z() != 0)
        body(x(f.n()), x(f.m()));
    else
        body(w(f.n()), w(f.m()));
    return true;
}

// clang-format off
ROW(UDIV) { return two_sources(f); }
ROW(SDIV) { return two_sources(f); }
ROW(LSLV) { return two_sources(f); }
ROW(LSRV) { return two_sources(f); }
ROW(ASRV) { return two_sources(f); }
ROW(RORV) { return two_sources(f); }
// clang-format on

template <typename F>
bool Translator::crc(F f, bool is_castagnoli) {
    if ((f.z() != 0) != (f.s() == 3)) return false;
    const u64 bytes = u64{1} << f.s();
    const I32 accumulator = w(f.n());
    const I64 data = x(f.m());
    set_w(f.d(),
          is_castagnoli ? b.Crc32C(accumulator, data, bytes) : b.Crc32(accumulator, data, bytes));
    return true;
}

// clang-format off
ROW(CRC32) { return crc(f, false); }
ROW(CRC32C) { return crc(f, true); }
// clang-format on

// --- one source

ROW(RBIT) {
    if (f.z() != 0)
        set_x(f.d(), b.ReverseBits64(x(f.n())));
    else
        set_w(f.d(), b.ReverseBits32(w(f.n())));
    return true;
}

ROW(REV16) {
    const auto body = [&]<typename T>(T a) {
        const T low_bytes = constant<T>(0x00ff00ff00ff00ff);
        set_reg(f.d(), bit_or(bit_and(lsr(a, 8u), low_bytes), shl(bit_and(a, low_bytes), 8u)));
    };
    if (f.z() != 0)
        body(x(f.n()));
    else
        body(w(f.n()));
    return true;
}

ROW(REV) {
    set_w(f.d(), b.ReverseBytes32(w(f.n())));
    return true;
}

ROW(REV32) {
    set_x(f.d(), ror(b.ReverseBytes64(x(f.n())), 32u));
    return true;
}

ROW(REV64) {
    set_x(f.d(), b.ReverseBytes64(x(f.n())));
    return true;
}

ROW(CLZ) {
    if (f.z() != 0)
        set_x(f.d(), b.CountLeadingZeros64(x(f.n())));
    else
        set_w(f.d(), b.CountLeadingZeros32(w(f.n())));
    return true;
}

ROW(CLS) {
    const auto body = [&]<typename T>(T a) {
        // Bits that differ from their left neighbour; the top one never does.
        const T changes = bit_xor(a, asr(a, 1u));
        set_reg(f.d(), sub(count_leading_zeros(changes), constant<T>(1)));
    };
    if (f.z() != 0)
        body(x(f.n()));
    else
        body(w(f.n()));
    return true;
}

// --- three sources

template <typename F>
bool Translator::integer_multiply_add(F f, bool is_sub) {
    const auto body = [&]<typename T>(T a, T c) {
        const T product = mul(a, c);
        if (!is_sub && f.a() == 31)
            set_reg(f.d(), product);
        else
            set_reg(f.d(), is_sub ? sub(reg<T>(f.a()), product) : add(reg<T>(f.a()), product));
    };
    if (f.z() != 0)
        body(x(f.n()), x(f.m()));
    else
        body(w(f.n()), w(f.m()));
    return true;
}

// clang-format off
ROW(MADD) { return integer_multiply_add(f, false); }
ROW(MSUB) { return integer_multiply_add(f, true); }
// clang-format on

template <typename F>
bool Translator::integer_multiply_long(F f, bool is_signed, bool is_sub) {
    const auto widen = [&](I32 a) { return is_signed ? b.SignExtend32(a) : b.ZeroExtend32(a); };
    const I64 product = b.Mul64(widen(w(f.n())), widen(w(f.m())));
    if (!is_sub && f.a() == 31)
        set_x(f.d(), product);
    else
        set_x(f.d(), is_sub ? b.Sub64(x(f.a()), product) : b.Add64(x(f.a()), product));
    return true;
}

// clang-format off
ROW(SMADDL) { return integer_multiply_long(f, true, false); }
ROW(SMSUBL) { return integer_multiply_long(f, true, true); }
ROW(UMADDL) { return integer_multiply_long(f, false, false); }
ROW(UMSUBL) { return integer_multiply_long(f, false, true); }
// clang-format on

ROW(SMULH) {
    set_x(f.d(), b.MulHighS64(x(f.n()), x(f.m())));
    return true;
}

ROW(UMULH) {
    set_x(f.d(), b.MulHighU64(x(f.n()), x(f.m())));
    return true;
}

// --- flags and conditions

ROW(RMIF) {
    const u32 mask = f.k() << 28;
    const I32 rotated = shl(b.Low32(ror(x(f.n()), f.i())), 28u);
    const I32 old = b.NzcvFromFlags(flags());
    set_flags(
        b.FlagsFromNzcv(b.Or32(b.And32(rotated, b.Const32(mask)), b.And32(old, b.Const32(~mask)))));
    return true;
}

/// SETF8 and SETF16: N and Z from the low `width` bits, V from a carry out of them; C stays.
bool Translator::set_flags_narrow(unsigned n, unsigned width) {
    const I32 value = w(n);
    const I32 nz = b.NzcvFromFlags(b.LogicFlags32(shl(value, 32 - width)));
    const I32 old_c = b.And32(b.NzcvFromFlags(flags()), b.Const32(1u << 29));
    const I32 v =
        b.And32(shl(b.Xor32(lsr(value, width), lsr(value, width - 1)), 28u), b.Const32(1u << 28));
    set_flags(b.FlagsFromNzcv(b.Or32(b.Or32(nz, old_c), v)));
    return true;
}

// clang-format off
ROW(SETF8) { return set_flags_narrow(f.n(), 8); }
ROW(SETF16) { return set_flags_narrow(f.n(), 16); }
// clang-format on

template <typename F>
bool Translator::conditional_compare(F f, bool is_sub) {
    const auto body = [&]<typename T>(T a, T c) {
        const ir::Flags compared = is_sub ? sub_flags(a, c) : add_flags(a, c);
        if (f.c() >= static_cast<u32>(Cond::AL)) {
            set_flags(compared);
            return;
        }
        const ir::Flags otherwise = b.ConstFlags(ir::flags_from_nzcv(f.f()));
        set_flags(b.SelectFlags(condition(f.c()), compared, otherwise));
    };
    const auto operand = [&]<typename T>(T a) {
        if constexpr (F::template has<'i'>())
            body(a, constant<T>(f.i()));
        else
            body(a, reg<T>(f.m()));
    };
    if (f.z() != 0)
        operand(x(f.n()));
    else
        operand(w(f.n()));
    return true;
}

// clang-format off
ROW(CCMN_reg) { return conditional_compare(f, false); }
ROW(CCMP_reg) { return conditional_compare(f, true); }
ROW(CCMN_imm) { return conditional_compare(f, false); }
ROW(CCMP_imm) { return conditional_compare(f, true); }
// clang-format on

template <typename F>
bool Translator::conditional_select(F f) {
    const bool always = f.c() >= static_cast<u32>(Cond::AL);
    const auto body = [&]<typename T>(T a) {
        if (always) {
            set_reg(f.d(), a);
            return;
        }
        // CSET and CSETM.
        constexpr bool is_increment = F::kRow == Row::CSINC;
        constexpr bool is_invert = F::kRow == Row::CSINV;
        if ((is_increment || is_invert) && f.n() == 31 && f.m() == 31) {
            const I64 truth = b.ZeroExtend1(condition(f.c() ^ 1));
            const I64 result = is_increment ? truth : b.Sub64(b.Const64(0), truth);
            if constexpr (std::is_same_v<T, I64>)
                set_x(f.d(), result);
            else
                set_w(f.d(), b.Low32(result));
            return;
        }
        const T c = reg<T>(f.m());
        switch (F::kRow) {
        case Row::CSEL: set_reg(f.d(), select(condition(f.c()), a, c)); break;
        case Row::CSINC: set_reg(f.d(), select(condition(f.c()), a, add(c, constant<T>(1)))); break;
        case Row::CSINV: set_reg(f.d(), select(condition(f.c()), a, bit_not(c))); break;
        default: set_reg(f.d(), select(condition(f.c()), a, sub(constant<T>(0), c))); break;
        }
    };
    if (f.z() != 0)
        body(x(f.n()));
    else
        body(w(f.n()));
    return true;
}

// clang-format off
ROW(CSEL) { return conditional_select(f); }
ROW(CSINC) { return conditional_select(f); }
ROW(CSINV) { return conditional_select(f); }
ROW(CSNEG) { return conditional_select(f); }
// clang-format on

} // namespace tandem::arm::a64
