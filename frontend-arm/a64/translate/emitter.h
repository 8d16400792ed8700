#pragma once
/// What instruction bodies are made of: register access, operations by operand width, guest memory
/// and helper calls, in terms of ir::Builder.
#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/state/arm_state.h"
#include "frontend-arm/state/features.h"
#include "ir/builder.h"

#include <type_traits>

namespace tandem::arm::a64 {

using ir::Alignment;
using ir::AtomicKind;
using ir::BranchHint;
using ir::Cond;
using ir::MemoryOp;
using ir::Regime;
using ir::Rounding;
using ir::Type;

class Emitter {
public:
    Emitter(FeatureSet feature_set, Mode mode_bits, ir::Block &block)
        : b(block), features(feature_set), mode(mode_bits) {}

    ir::Builder b;
    const FeatureSet features;
    const Mode mode;

    [[nodiscard]] bool has(Feature feature) const { return features.has(feature); }

    // --- integer registers: 31 is the zero register, or SP in the _sp forms; 32-bit writes clear
    // the upper half.
    ir::I64 x(unsigned n) { return n == 31 ? b.Const64(0) : b.GetState64(gpr_offset(n)); }
    ir::I32 w(unsigned n) { return n == 31 ? b.Const32(0) : b.GetState32(gpr_offset(n)); }
    ir::I64 x_sp(unsigned n) { return b.GetState64(gpr_offset(n)); }
    ir::I32 w_sp(unsigned n) { return b.GetState32(gpr_offset(n)); }
    void set_x(unsigned n, ir::I64 value) {
        if (n != 31) b.SetState64(value, gpr_offset(n));
    }
    void set_w(unsigned n, ir::I32 value) { set_x(n, b.ZeroExtend32(value)); }
    void set_x_sp(unsigned n, ir::I64 value) {
        b.SetState64(value, gpr_offset(n));
        if (n == 31) sp_is_aligned_ = false;
    }
    void set_w_sp(unsigned n, ir::I32 value) { set_x_sp(n, b.ZeroExtend32(value)); }

    // The same, for bodies that are templates on the operand width (ir::I32 or ir::I64).
    template <typename T>
    T reg(unsigned n) {
        if constexpr (std::is_same_v<T, ir::I64>)
            return x(n);
        else
            return w(n);
    }
    template <typename T>
    T reg_sp(unsigned n) {
        if constexpr (std::is_same_v<T, ir::I64>)
            return x_sp(n);
        else
            return w_sp(n);
    }
    template <typename T>
    T constant(u64 value) {
        if constexpr (std::is_same_v<T, ir::I64>)
            return b.Const64(value);
        else
            return b.Const32(static_cast<u32>(value));
    }
    void set_reg(unsigned n, ir::I64 value) { set_x(n, value); }
    void set_reg(unsigned n, ir::I32 value) { set_w(n, value); }
    void set_reg_sp(unsigned n, ir::I64 value) { set_x_sp(n, value); }
    void set_reg_sp(unsigned n, ir::I32 value) { set_w_sp(n, value); }

    // --- FP and vector registers; narrow writes clear the rest of the register.
    ir::V128 v(unsigned n) { return b.GetStateV128(v_offset(n)); }
    ir::F16 h(unsigned n) { return b.GetStateF16(v_offset(n)); }
    ir::F32 s(unsigned n) { return b.GetStateF32(v_offset(n)); }
    ir::F64 d(unsigned n) { return b.GetStateF64(v_offset(n)); }
    void set_v(unsigned n, ir::V128 value) { b.SetStateV128(value, v_offset(n)); }
    /// All of a 128-bit result, or its low half only.
    void set_v(unsigned n, ir::V128 value, bool is_128_bit) {
        set_v(n, is_128_bit ? value : b.VZeroUpper64(value));
    }
    void set_h(unsigned n, ir::F16 value) { set_v(n, b.VFromF16(value)); }
    void set_s(unsigned n, ir::F32 value) { set_v(n, b.VFromF32(value)); }
    void set_d(unsigned n, ir::F64 value) { set_v(n, b.VFromF64(value)); }
    /// FpMode of the block, the low bits of an FP operation's immediate.
    [[nodiscard]] u64 fp_mode() const { return mode.fp().value; }

    // --- flags
    ir::Flags flags() { return b.GetFlags(kFlagsOffset); }
    void set_flags(ir::Flags value) { b.SetFlags(value, kFlagsOffset); }
    /// cond is the 4-bit field of the instruction.
    ir::I1 condition(u32 cond) { return b.CondHolds(flags(), cond); }

    // --- operations by width
#define TANDEM_WIDTH1(name, Op)                                                                    \
    ir::I32 name(ir::I32 a) { return b.Op##32(a); }                                                \
    ir::I64 name(ir::I64 a) { return b.Op##64(a); }
#define TANDEM_WIDTH2(name, Op)                                                                    \
    ir::I32 name(ir::I32 a, ir::I32 c) { return b.Op##32(a, c); }                                  \
    ir::I64 name(ir::I64 a, ir::I64 c) { return b.Op##64(a, c); }
#define TANDEM_WIDTH2_IMM(name, Op)                                                                \
    ir::I32 name(ir::I32 a, ir::I32 c, u64 imm) { return b.Op##32(a, c, imm); }                    \
    ir::I64 name(ir::I64 a, ir::I64 c, u64 imm) { return b.Op##64(a, c, imm); }
#define TANDEM_WIDTH_SHIFT(name, Op)                                                               \
    ir::I32 name(ir::I32 a, ir::I32 c) { return b.Op##32(a, c); }                                  \
    ir::I64 name(ir::I64 a, ir::I64 c) { return b.Op##64(a, c); }                                  \
    ir::I32 name(ir::I32 a, unsigned n) { return n == 0 ? a : b.Op##32(a, b.Const32(n)); }         \
    ir::I64 name(ir::I64 a, unsigned n) { return n == 0 ? a : b.Op##64(a, b.Const64(n)); }
#define TANDEM_WIDTH_FLAGS(name, Op)                                                               \
    ir::Flags name(ir::I32 a, ir::I32 c) { return b.Op##32(a, c); }                                \
    ir::Flags name(ir::I64 a, ir::I64 c) { return b.Op##64(a, c); }
    TANDEM_WIDTH2(add, Add)
    TANDEM_WIDTH2(sub, Sub)
    TANDEM_WIDTH2(bit_and, And)
    TANDEM_WIDTH2(bit_or, Or)
    TANDEM_WIDTH2(bit_xor, Xor)
    TANDEM_WIDTH2(and_not, AndNot)
    TANDEM_WIDTH1(bit_not, Not)
    TANDEM_WIDTH_SHIFT(shl, Shl)
    TANDEM_WIDTH_SHIFT(lsr, Lsr)
    TANDEM_WIDTH_SHIFT(asr, Asr)
    TANDEM_WIDTH_SHIFT(ror, Ror)
    TANDEM_WIDTH2(mul, Mul)
    TANDEM_WIDTH2(divide_signed, DivS)
    TANDEM_WIDTH2(divide_unsigned, DivU)
    TANDEM_WIDTH1(count_leading_zeros, CountLeadingZeros)
    TANDEM_WIDTH1(reverse_bits, ReverseBits)
    TANDEM_WIDTH1(reverse_bytes, ReverseBytes)
    TANDEM_WIDTH2_IMM(extract, Extract)
    TANDEM_WIDTH2_IMM(bitfield_insert, BitfieldInsert)
    TANDEM_WIDTH_FLAGS(add_flags, AddFlags)
    TANDEM_WIDTH_FLAGS(sub_flags, SubFlags)
#undef TANDEM_WIDTH1
#undef TANDEM_WIDTH2
#undef TANDEM_WIDTH2_IMM
#undef TANDEM_WIDTH_SHIFT
#undef TANDEM_WIDTH_FLAGS
    ir::I32 add_carry(ir::I32 a, ir::I32 c, ir::Flags f) { return b.Adc32(a, c, f); }
    ir::I64 add_carry(ir::I64 a, ir::I64 c, ir::Flags f) { return b.Adc64(a, c, f); }
    ir::I32 sub_carry(ir::I32 a, ir::I32 c, ir::Flags f) { return b.Sbc32(a, c, f); }
    ir::I64 sub_carry(ir::I64 a, ir::I64 c, ir::Flags f) { return b.Sbc64(a, c, f); }
    ir::Flags add_carry_flags(ir::I32 a, ir::I32 c, ir::Flags f) { return b.AdcFlags32(a, c, f); }
    ir::Flags add_carry_flags(ir::I64 a, ir::I64 c, ir::Flags f) { return b.AdcFlags64(a, c, f); }
    ir::Flags sub_carry_flags(ir::I32 a, ir::I32 c, ir::Flags f) { return b.SbcFlags32(a, c, f); }
    ir::Flags sub_carry_flags(ir::I64 a, ir::I64 c, ir::Flags f) { return b.SbcFlags64(a, c, f); }
    ir::Flags logic_flags(ir::I32 a) { return b.LogicFlags32(a); }
    ir::Flags logic_flags(ir::I64 a) { return b.LogicFlags64(a); }
    ir::I1 is_zero(ir::I32 a) { return b.IsZero32(a); }
    ir::I1 is_zero(ir::I64 a) { return b.IsZero64(a); }
    ir::I1 is_non_zero(ir::I32 a) { return b.IsNonZero32(a); }
    ir::I1 is_non_zero(ir::I64 a) { return b.IsNonZero64(a); }
    ir::I32 select(ir::I1 c, ir::I32 a, ir::I32 z) { return b.Select32(c, a, z); }
    ir::I64 select(ir::I1 c, ir::I64 a, ir::I64 z) { return b.Select64(c, a, z); }
    ir::I32 bitfield_extract(ir::I32 a, u64 imm) { return b.BitfieldExtract32(a, imm); }
    ir::I64 bitfield_extract(ir::I64 a, u64 imm) { return b.BitfieldExtract64(a, imm); }
    ir::I32 bitfield_extract_signed(ir::I32 a, u64 imm) {
        return b.BitfieldExtractSigned32(a, imm);
    }
    ir::I64 bitfield_extract_signed(ir::I64 a, u64 imm) {
        return b.BitfieldExtractSigned64(a, imm);
    }

    // --- guest memory: size_log2 is 0..3, values are zero-extended.
    /// An ordinary access.
    [[nodiscard]] MemoryOp ordinary() const {
        return {.regime = mode.regime(),
                .alignment = mode.has(Mode::kAlignmentCheck) ? Alignment::Natural : Alignment::Any};
    }
    /// LDTR and STTR.
    [[nodiscard]] MemoryOp unprivileged() const {
        MemoryOp op = ordinary();
        op.regime = mode.unprivileged_regime();
        return op;
    }
    /// Atomics and exclusives (Arm ARM B2.6.2: naturally aligned, or with FEAT_LSE2 within 16
    /// bytes).
    [[nodiscard]] MemoryOp atomically(unsigned size_log2, bool acquire, bool release) const {
        MemoryOp op = ordinary();
        if (op.alignment == Alignment::Any)
            op.alignment =
                has(Feature::LSE2) && size_log2 < 4 ? Alignment::Within16 : Alignment::Natural;
        op.acquire = acquire;
        op.release = release;
        op.size_log2 = static_cast<u8>(size_log2);
        return op;
    }
    /// Load-acquire and store-release: aligned like atomics, unless SCTLR_EL1.nAA.
    [[nodiscard]] MemoryOp ordered(unsigned size_log2, bool acquire, bool release) const {
        MemoryOp op = atomically(size_log2, acquire, release);
        if (mode.has(Mode::kUnalignedOrdered)) op.alignment = ordinary().alignment;
        return op;
    }
    ir::I64 load(unsigned size_log2, ir::I64 address, MemoryOp op);
    void store(unsigned size_log2, ir::I64 address, ir::I64 value, MemoryOp op);
    /// Base register n (31: SP) of a memory access, with SP's alignment checked.
    ir::I64 base(unsigned n);
    /// Writes back base + offset; call it after the access.
    void write_back(unsigned n, ir::I64 address, i64 offset_from_base);

    // --- calls of helpers.inc
    ir::I64 call(HelperId id, u64 imm = 0) { return b.Call0(call_imm(id, imm)); }
    ir::I64 call(HelperId id, ir::I64 a, u64 imm = 0) { return b.Call1(a, call_imm(id, imm)); }
    ir::I64 call(HelperId id, ir::I64 a, ir::I64 c, u64 imm = 0) {
        return b.Call2(a, c, call_imm(id, imm));
    }
    /// The exception that helper raises, when the condition holds.
    void raise_if(ir::I1 condition, HelperId id, u64 imm = 0) {
        b.RaiseIf(condition, call_imm(id, imm));
    }
    [[nodiscard]] static constexpr u64 call_imm(HelperId id, u64 imm) {
        return static_cast<u64>(id) | imm << 16;
    }

protected:
    static constexpr u64 kFlagsOffset = __builtin_offsetof(ir::ExecContext, flags);
    static constexpr u64 kPcOffset = __builtin_offsetof(ir::ExecContext, pc);
    static constexpr u64 kBtypeOffset = __builtin_offsetof(ArmState, btype);
    bool sp_is_aligned_ = false; ///< known to be a multiple of 16
};

} // namespace tandem::arm::a64
