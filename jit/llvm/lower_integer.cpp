// Integers, constants, and moves between the types.
#include "jit/llvm/lowering.h"

namespace tandem::jit::llvm_tier {
namespace {

using llvm::Intrinsic::ID;
using BinaryOps = llvm::Instruction::BinaryOps;

llvm::Value *arg(Lowering &l, const Inst &in, unsigned index) {
    return l.value(in.args[index]);
}
llvm::Value *same(llvm::Value *of, u64 value) {
    return llvm::ConstantInt::get(of->getType(), value);
}
unsigned width_of(llvm::Value *v) {
    return v->getType()->getIntegerBitWidth();
}

template <BinaryOps op>
void binary(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateBinOp(op, arg(l, in, 0), arg(l, in, 1)));
}
/// Shifts take their amount modulo the width.
template <BinaryOps op>
void shift(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    llvm::Value *amount = l.b.CreateAnd(arg(l, in, 1), same(a, width_of(a) - 1));
    l.set(id, l.b.CreateBinOp(op, a, amount));
}
void and_not(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateAnd(arg(l, in, 0), l.b.CreateNot(arg(l, in, 1))));
}
void not_(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateNot(arg(l, in, 0)));
}
void rotate_right(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    l.set(id, l.b.CreateIntrinsic(llvm::Intrinsic::fshr, {a->getType()}, {a, a, arg(l, in, 1)}));
}
void extract(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    l.set(id, l.b.CreateIntrinsic(llvm::Intrinsic::fshr, {a->getType()},
                                  {a, arg(l, in, 1), same(a, in.imm & (width_of(a) - 1))}));
}
template <ID intrinsic>
void unary_intrinsic(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    l.set(id, l.b.CreateIntrinsic(intrinsic, {a->getType()}, {a}));
}
void count_leading_zeros(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    l.set(id, l.b.CreateIntrinsic(llvm::Intrinsic::ctlz, {a->getType()}, {a, l.b.getFalse()}));
}

unsigned lsb_of(const Inst &in) {
    return static_cast<unsigned>(in.imm & 63);
}
unsigned field_width(const Inst &in) {
    return static_cast<unsigned>(in.imm >> 8) & 0xff;
}
void bitfield_insert(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    const u64 mask = ones(field_width(in)) << lsb_of(in);
    llvm::Value *field = l.b.CreateAnd(l.b.CreateShl(arg(l, in, 1), lsb_of(in)), same(a, mask));
    l.set(id, l.b.CreateOr(l.b.CreateAnd(a, same(a, ~mask)), field));
}
void bitfield_extract(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    l.set(id, l.b.CreateAnd(l.b.CreateLShr(a, lsb_of(in)), same(a, ones(field_width(in)))));
}
void bitfield_extract_signed(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    const unsigned above = width_of(a) - field_width(in);
    // Shifts by 0 do nothing.
    a = l.b.CreateShl(a, above - lsb_of(in));
    l.set(id, l.b.CreateAShr(a, above));
}

template <bool is_signed>
void multiply_high(Lowering &l, const Inst &in, ValueId id) {
    llvm::Type *wide = l.b.getInt128Ty();
    const auto extend = [&](llvm::Value *v) {
        return is_signed ? l.b.CreateSExt(v, wide) : l.b.CreateZExt(v, wide);
    };
    llvm::Value *product = l.b.CreateMul(extend(arg(l, in, 0)), extend(arg(l, in, 1)));
    l.set(id, l.b.CreateTrunc(l.b.CreateLShr(product, 64), l.b.getInt64Ty()));
}

/// x / 0 = 0, and INT_MIN / -1 = INT_MIN: the host would trap on both.
template <bool is_signed>
void divide(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    llvm::Value *d = arg(l, in, 1);
    llvm::Value *one = same(a, 1);
    llvm::Value *is_zero = l.b.CreateICmpEQ(d, same(a, 0));
    llvm::Value *result = nullptr;
    if (is_signed) {
        llvm::Value *is_minus_one =
            l.b.CreateICmpEQ(d, llvm::Constant::getAllOnesValue(a->getType()));
        llvm::Value *safe = l.b.CreateSelect(l.b.CreateOr(is_zero, is_minus_one), one, d);
        result = l.b.CreateSelect(is_minus_one, l.b.CreateNeg(a), l.b.CreateSDiv(a, safe));
    } else {
        result = l.b.CreateUDiv(a, l.b.CreateSelect(is_zero, one, d));
    }
    l.set(id, l.b.CreateSelect(is_zero, same(a, 0), result));
}

void crc32c(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *data = arg(l, in, 1);
    const auto bits = static_cast<unsigned>(in.imm) * 8;
    llvm::Value *sum = arg(l, in, 0);
    if (bits == 64) {
        sum = l.b.CreateIntrinsic(llvm::Intrinsic::x86_sse42_crc32_64_64, {},
                                  {l.b.CreateZExt(sum, l.b.getInt64Ty()), data});
        l.set(id, l.b.CreateTrunc(sum, l.b.getInt32Ty()));
        return;
    }
    const ID intrinsic = bits == 8    ? llvm::Intrinsic::x86_sse42_crc32_32_8
                         : bits == 16 ? llvm::Intrinsic::x86_sse42_crc32_32_16
                                      : llvm::Intrinsic::x86_sse42_crc32_32_32;
    l.set(id,
          l.b.CreateIntrinsic(intrinsic, {}, {sum, l.b.CreateTrunc(data, l.b.getIntNTy(bits))}));
}

void select(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateSelect(arg(l, in, 0), arg(l, in, 1), arg(l, in, 2)));
}
template <llvm::CmpInst::Predicate predicate>
void compare_with_zero(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    l.set(id, l.b.CreateICmp(predicate, a, same(a, 0)));
}
template <llvm::CmpInst::Predicate predicate>
void compare(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateICmp(predicate, arg(l, in, 0), arg(l, in, 1)));
}
template <llvm::CmpInst::Predicate predicate>
void test_bit(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *bit = l.b.CreateAnd(arg(l, in, 0), l.const64(u64{1} << (in.imm & 63)));
    l.set(id, l.b.CreateICmp(predicate, bit, l.const64(0)));
}

void constant32(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.const32(in.imm));
}
void constant64(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.const64(in.imm));
}
/// Sign or zero extension of the low bits within the type.
template <unsigned bits, bool is_signed>
void extend(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    if (width_of(a) > bits) a = l.b.CreateTrunc(a, l.b.getIntNTy(bits));
    l.set(id,
          is_signed ? l.b.CreateSExt(a, l.b.getInt64Ty()) : l.b.CreateZExt(a, l.b.getInt64Ty()));
}
void low32(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateTrunc(arg(l, in, 0), l.b.getInt32Ty()));
}
/// Between an FP type and the integer of its bits, perhaps wider.
void move_bits(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = arg(l, in, 0);
    llvm::Type *to = l.type(ir::info(in.op).result);
    if (a->getType()->isFloatingPointTy()) {
        a = l.b.CreateBitCast(
            a, l.b.getIntNTy(static_cast<unsigned>(a->getType()->getPrimitiveSizeInBits())));
        l.set(id, l.b.CreateZExt(a, to));
    } else if (to->isFloatingPointTy()) {
        l.set(id, l.b.CreateBitCast(a, to));
    } else {
        l.set(id, l.b.CreateZExtOrTrunc(a, to));
    }
}

} // namespace

Lowering::Emitter integer_lowering(Opcode op) {
    using llvm::CmpInst;
    // clang-format off
    switch (op) {
    case Opcode::Const32: return constant32;
    case Opcode::Const64: return constant64;
    case Opcode::Low32: return low32;
    case Opcode::ZeroExtend32: return extend<32, false>;
    case Opcode::SignExtend32: return extend<32, true>;
    case Opcode::ZeroExtend1: return extend<1, false>;
    case Opcode::SignExtend8: return extend<8, true>;
    case Opcode::SignExtend16: return extend<16, true>;
    case Opcode::ZeroExtend8: return extend<8, false>;
    case Opcode::ZeroExtend16: return extend<16, false>;
    case Opcode::FromF16: case Opcode::FromF32: case Opcode::FromF64:
    case Opcode::ToF16: case Opcode::ToF32: case Opcode::ToF64: return move_bits;
    case Opcode::Add32: case Opcode::Add64: return binary<BinaryOps::Add>;
    case Opcode::Sub32: case Opcode::Sub64: return binary<BinaryOps::Sub>;
    case Opcode::And32: case Opcode::And64: case Opcode::And1: return binary<BinaryOps::And>;
    case Opcode::Or32: case Opcode::Or64: case Opcode::Or1: return binary<BinaryOps::Or>;
    case Opcode::Xor32: case Opcode::Xor64: return binary<BinaryOps::Xor>;
    case Opcode::Mul32: case Opcode::Mul64: return binary<BinaryOps::Mul>;
    case Opcode::AndNot32: case Opcode::AndNot64: return and_not;
    case Opcode::Not32: case Opcode::Not64: case Opcode::Not1: return not_;
    case Opcode::Shl32: case Opcode::Shl64: return shift<BinaryOps::Shl>;
    case Opcode::Lsr32: case Opcode::Lsr64: return shift<BinaryOps::LShr>;
    case Opcode::Asr32: case Opcode::Asr64: return shift<BinaryOps::AShr>;
    case Opcode::Ror32: case Opcode::Ror64: return rotate_right;
    case Opcode::Extract32: case Opcode::Extract64: return extract;
    case Opcode::BitfieldInsert32: case Opcode::BitfieldInsert64: return bitfield_insert;
    case Opcode::BitfieldExtract32: case Opcode::BitfieldExtract64: return bitfield_extract;
    case Opcode::BitfieldExtractSigned32: case Opcode::BitfieldExtractSigned64: return bitfield_extract_signed;
    case Opcode::MulHighS64: return multiply_high<true>;
    case Opcode::MulHighU64: return multiply_high<false>;
    case Opcode::DivS32: case Opcode::DivS64: return divide<true>;
    case Opcode::DivU32: case Opcode::DivU64: return divide<false>;
    case Opcode::CountLeadingZeros32: case Opcode::CountLeadingZeros64: return count_leading_zeros;
    case Opcode::ReverseBits32: case Opcode::ReverseBits64: return unary_intrinsic<llvm::Intrinsic::bitreverse>;
    case Opcode::ReverseBytes32: case Opcode::ReverseBytes64: return unary_intrinsic<llvm::Intrinsic::bswap>;
    case Opcode::Crc32C: return crc32c;
    case Opcode::Select32: case Opcode::Select64:
    case Opcode::FSelect16: case Opcode::FSelect32: case Opcode::FSelect64: return select;
    case Opcode::IsZero32: case Opcode::IsZero64: return compare_with_zero<CmpInst::ICMP_EQ>;
    case Opcode::IsNonZero32: case Opcode::IsNonZero64: return compare_with_zero<CmpInst::ICMP_NE>;
    case Opcode::TestBit64: return test_bit<CmpInst::ICMP_NE>;
    case Opcode::TestBitClear64: return test_bit<CmpInst::ICMP_EQ>;
    case Opcode::Equal64: return compare<CmpInst::ICMP_EQ>;
    case Opcode::LessUnsigned64: return compare<CmpInst::ICMP_ULT>;
    case Opcode::LessSigned64: return compare<CmpInst::ICMP_SLT>;
    default: return nullptr;
    }
    // clang-format on
}

} // namespace tandem::jit::llvm_tier
