// Vector moves and integers as LLVM vector operations. What is not here calls its definition.
#include "jit/llvm/lowering.h"

namespace tandem::jit::llvm_tier {
namespace {

using BinaryOps = llvm::Instruction::BinaryOps;
using Predicate = llvm::CmpInst::Predicate;

llvm::Value *lanes(Lowering &l, const Inst &in, unsigned index, unsigned width) {
    return l.b.CreateBitCast(l.value(in.args[index]), l.vector(width));
}
void finish(Lowering &l, ValueId id, llvm::Value *v) {
    l.set(id, l.b.CreateBitCast(v, l.vector(64)));
}
llvm::Value *zero(Lowering &l, unsigned width = 64) {
    return llvm::Constant::getNullValue(l.vector(width));
}

// --- between vectors and scalars ---

void vector_zero(Lowering &l, const Inst &, ValueId id) {
    l.set(id, zero(l));
}
void vector_constant(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateVectorSplat(2, l.const64(in.imm)));
}
/// A scalar in a vector of zeros.
void from_scalar(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = l.value(in.args[0]);
    const auto width = static_cast<unsigned>(a->getType()->getPrimitiveSizeInBits());
    auto *type = llvm::FixedVectorType::get(a->getType(), 128 / width);
    finish(l, id, l.b.CreateInsertElement(llvm::Constant::getNullValue(type), a, u64{0}));
}
void to_scalar(Lowering &l, const Inst &in, ValueId id) {
    llvm::Type *type = l.type(ir::info(in.op).result);
    const auto width = static_cast<unsigned>(type->getPrimitiveSizeInBits());
    llvm::Value *v =
        l.b.CreateBitCast(l.value(in.args[0]), llvm::FixedVectorType::get(type, 128 / width));
    l.set(id, l.b.CreateExtractElement(v, in.imm));
}
void combine(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *v = l.b.CreateInsertElement(zero(l), l.value(in.args[0]), u64{0});
    l.set(id, l.b.CreateInsertElement(v, l.value(in.args[1]), u64{1}));
}
template <unsigned width>
void get_lane(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *lane = l.b.CreateExtractElement(lanes(l, in, 0, width), in.imm);
    l.set(id, l.b.CreateZExt(lane, l.b.getInt64Ty()));
}
template <unsigned width>
void set_lane(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *lane = l.b.CreateTrunc(l.value(in.args[1]), l.b.getIntNTy(width));
    finish(l, id, l.b.CreateInsertElement(lanes(l, in, 0, width), lane, in.imm));
}
template <unsigned width>
void duplicate(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *lane = l.b.CreateTrunc(l.value(in.args[0]), l.b.getIntNTy(width));
    finish(l, id, l.b.CreateVectorSplat(128 / width, lane));
}

// --- permutations: lane n of the result is lane choose(n) of a (below the count) or b ---

template <unsigned width, typename Choose>
void permute(Lowering &l, const Inst &in, ValueId id, Choose choose) {
    constexpr unsigned kCount = 128 / width;
    std::array<int, kCount> mask{};
    for (unsigned i = 0; i < kCount; ++i) mask[i] = static_cast<int>(choose(i, kCount));
    llvm::Value *a = lanes(l, in, 0, width);
    const bool is_unary = ir::info(in.op).arg_count == 1;
    finish(l, id, l.b.CreateShuffleVector(a, is_unary ? a : lanes(l, in, 1, width), mask));
}
template <unsigned width>
void duplicate_lane(Lowering &l, const Inst &in, ValueId id) {
    permute<width>(l, in, id, [&](unsigned, unsigned) { return static_cast<unsigned>(in.imm); });
}
template <unsigned width>
void insert_lane(Lowering &l, const Inst &in, ValueId id) {
    permute<width>(l, in, id, [&](unsigned i, unsigned count) {
        return i == (in.imm & 15) ? count + static_cast<unsigned>(in.imm >> 8 & 15) : i;
    });
}
template <unsigned width, unsigned half>
void zip(Lowering &l, const Inst &in, ValueId id) {
    permute<width>(l, in, id, [](unsigned i, unsigned count) {
        return half * count / 2 + i / 2 + (i % 2) * count;
    });
}
template <unsigned width, unsigned odd>
void unzip(Lowering &l, const Inst &in, ValueId id) {
    permute<width>(l, in, id, [](unsigned i, unsigned) { return 2 * i + odd; });
}
template <unsigned width, unsigned odd>
void transpose(Lowering &l, const Inst &in, ValueId id) {
    permute<width>(l, in, id,
                   [](unsigned i, unsigned count) { return (i & ~1u) + odd + (i % 2) * count; });
}
void extract(Lowering &l, const Inst &in, ValueId id) {
    permute<8>(l, in, id, [&](unsigned i, unsigned) { return static_cast<unsigned>(in.imm) + i; });
}
/// Lanes in reverse order within groups of `group` bits.
template <unsigned width, unsigned group>
void reverse(Lowering &l, const Inst &in, ValueId id) {
    permute<width>(l, in, id, [](unsigned i, unsigned) { return i ^ (group / width - 1); });
}
void zero_upper(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateInsertElement(l.value(in.args[0]), l.const64(0), u64{1}));
}
void merge_high(Lowering &l, const Inst &in, ValueId id) {
    permute<64>(l, in, id, [](unsigned i, unsigned count) { return i * count; });
}

// --- lanewise ---

template <BinaryOps op, unsigned width>
void binary(Lowering &l, const Inst &in, ValueId id) {
    finish(l, id, l.b.CreateBinOp(op, lanes(l, in, 0, width), lanes(l, in, 1, width)));
}
void and_not(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateAnd(l.value(in.args[0]), l.b.CreateNot(l.value(in.args[1]))));
}
void or_not(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateOr(l.value(in.args[0]), l.b.CreateNot(l.value(in.args[1]))));
}
void not_(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.b.CreateNot(l.value(in.args[0])));
}
void select(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *mask = l.value(in.args[2]);
    llvm::Value *a = l.b.CreateAnd(l.value(in.args[0]), mask);
    l.set(id, l.b.CreateOr(a, l.b.CreateAnd(l.value(in.args[1]), l.b.CreateNot(mask))));
}
template <unsigned width>
void negate(Lowering &l, const Inst &in, ValueId id) {
    finish(l, id, l.b.CreateNeg(lanes(l, in, 0, width)));
}
template <unsigned width>
void absolute(Lowering &l, const Inst &in, ValueId id) {
    finish(l, id,
           l.b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, lanes(l, in, 0, width), l.b.getFalse()));
}
template <llvm::Intrinsic::ID intrinsic, unsigned width>
void binary_intrinsic(Lowering &l, const Inst &in, ValueId id) {
    finish(l, id,
           l.b.CreateBinaryIntrinsic(intrinsic, lanes(l, in, 0, width), lanes(l, in, 1, width)));
}
template <Predicate predicate, unsigned width>
void compare(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *holds = l.b.CreateICmp(predicate, lanes(l, in, 0, width), lanes(l, in, 1, width));
    finish(l, id, l.b.CreateSExt(holds, l.vector(width)));
}
template <unsigned width>
void compare_test(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *both = l.b.CreateAnd(lanes(l, in, 0, width), lanes(l, in, 1, width));
    finish(l, id, l.b.CreateSExt(l.b.CreateICmpNE(both, zero(l, width)), l.vector(width)));
}
/// Right shifts by the lane's width are allowed: all bits go, or become the sign.
template <BinaryOps op, unsigned width>
void shift(Lowering &l, const Inst &in, ValueId id) {
    u64 amount = in.imm;
    if (op == BinaryOps::LShr && amount >= width) return l.set(id, zero(l));
    if (op == BinaryOps::AShr && amount >= width) amount = width - 1;
    llvm::Value *by = llvm::ConstantInt::get(l.vector(width), amount);
    finish(l, id, l.b.CreateBinOp(op, lanes(l, in, 0, width), by));
}

// --- widening: from the low halves; narrowing: to the low half ---

template <unsigned width, bool is_signed>
llvm::Value *widened(Lowering &l, const Inst &in, unsigned index) {
    std::array<int, 64 / width> low{};
    for (unsigned i = 0; i < low.size(); ++i) low[i] = static_cast<int>(i);
    llvm::Value *a = lanes(l, in, index, width);
    a = l.b.CreateShuffleVector(a, low);
    return is_signed ? l.b.CreateSExt(a, l.vector(2 * width))
                     : l.b.CreateZExt(a, l.vector(2 * width));
}
template <unsigned width, bool is_signed>
void widen(Lowering &l, const Inst &in, ValueId id) {
    finish(l, id, widened<width, is_signed>(l, in, 0));
}
template <unsigned width, bool is_signed>
void multiply_long(Lowering &l, const Inst &in, ValueId id) {
    finish(l, id,
           l.b.CreateMul(widened<width, is_signed>(l, in, 0), widened<width, is_signed>(l, in, 1)));
}
void narrow_to_low(Lowering &l, ValueId id, llvm::Value *wide, unsigned width) {
    auto *half = llvm::FixedVectorType::get(l.b.getIntNTy(width), 64 / width);
    llvm::Value *low = l.b.CreateBitCast(l.b.CreateTrunc(wide, half), l.b.getInt64Ty());
    l.set(id, l.b.CreateInsertElement(zero(l), low, u64{0}));
}
template <unsigned width>
void narrow(Lowering &l, const Inst &in, ValueId id) {
    narrow_to_low(l, id, lanes(l, in, 0, 2 * width), width);
}
/// Sums of adjacent lanes, wider.
template <unsigned width, bool is_signed>
void pairwise_add_long(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = lanes(l, in, 0, 2 * width);
    llvm::Value *by = llvm::ConstantInt::get(l.vector(2 * width), width);
    llvm::Value *odd = is_signed ? l.b.CreateAShr(a, by) : l.b.CreateLShr(a, by);
    llvm::Value *even = l.b.CreateShl(a, by);
    even = is_signed ? l.b.CreateAShr(even, by) : l.b.CreateLShr(even, by);
    finish(l, id, l.b.CreateAdd(even, odd));
}

/// The operation on the even and the odd lanes of both arguments.
template <unsigned width, llvm::Intrinsic::ID intrinsic = llvm::Intrinsic::not_intrinsic>
void pairwise(Lowering &l, const Inst &in, ValueId id) {
    constexpr unsigned kCount = 128 / width;
    std::array<llvm::Value *, 2> halves{};
    for (unsigned odd = 0; odd < 2; ++odd) {
        std::array<int, kCount> from{};
        for (unsigned i = 0; i < kCount; ++i) from[i] = static_cast<int>(2 * i + odd);
        halves[odd] = l.b.CreateShuffleVector(lanes(l, in, 0, width), lanes(l, in, 1, width), from);
    }
    if (intrinsic == llvm::Intrinsic::not_intrinsic)
        finish(l, id, l.b.CreateAdd(halves[0], halves[1]));
    else
        finish(l, id, l.b.CreateBinaryIntrinsic(intrinsic, halves[0], halves[1]));
}

/// The first `imm` lanes.
template <unsigned width>
llvm::Value *first_lanes(Lowering &l, const Inst &in) {
    std::vector<int> from(in.imm);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<int>(i);
    return l.b.CreateShuffleVector(lanes(l, in, 0, width), from);
}
void finish_scalar(Lowering &l, ValueId id, llvm::Value *scalar) {
    llvm::Value *word = l.b.CreateZExt(scalar, l.b.getInt64Ty());
    l.set(id, l.b.CreateInsertElement(zero(l), word, u64{0}));
}
template <llvm::Intrinsic::ID reduction, unsigned width>
void across(Lowering &l, const Inst &in, ValueId id) {
    finish_scalar(l, id, l.b.CreateUnaryIntrinsic(reduction, first_lanes<width>(l, in)));
}
template <unsigned width, bool is_signed>
void across_add_long(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *first = first_lanes<width>(l, in);
    auto *type = llvm::VectorType::getExtendedElementVectorType(
        llvm::cast<llvm::VectorType>(first->getType()));
    llvm::Value *wide = is_signed ? l.b.CreateSExt(first, type) : l.b.CreateZExt(first, type);
    finish_scalar(l, id, l.b.CreateAddReduce(wide));
}

} // namespace

Lowering::Emitter vector_lowering(Opcode op) {
    // clang-format off
#define LANES(T)                                                                                   \
    case Opcode::VGet##T: return get_lane<T>;                                                      \
    case Opcode::VSet##T: return set_lane<T>;                                                      \
    case Opcode::VDup##T: return duplicate<T>;                                                     \
    case Opcode::VDupLane##T: return duplicate_lane<T>;                                            \
    case Opcode::VInsertLane##T: return insert_lane<T>;                                            \
    case Opcode::VZip1_##T: return zip<T, 0>;                                                      \
    case Opcode::VZip2_##T: return zip<T, 1>;                                                      \
    case Opcode::VUzp1_##T: return unzip<T, 0>;                                                    \
    case Opcode::VUzp2_##T: return unzip<T, 1>;                                                    \
    case Opcode::VTrn1_##T: return transpose<T, 0>;                                                \
    case Opcode::VTrn2_##T: return transpose<T, 1>;                                                \
    case Opcode::VAdd##T: return binary<BinaryOps::Add, T>;                                        \
    case Opcode::VAddPairwise##T: return pairwise<T>;                                              \
    case Opcode::VSub##T: return binary<BinaryOps::Sub, T>;                                        \
    case Opcode::VNeg##T: return negate<T>;                                                        \
    case Opcode::VAbs##T: return absolute<T>;                                                      \
    case Opcode::VCompareEqual##T: return compare<Predicate::ICMP_EQ, T>;                          \
    case Opcode::VCompareGreaterS##T: return compare<Predicate::ICMP_SGT, T>;                      \
    case Opcode::VCompareGreaterEqualS##T: return compare<Predicate::ICMP_SGE, T>;                 \
    case Opcode::VCompareGreaterU##T: return compare<Predicate::ICMP_UGT, T>;                      \
    case Opcode::VCompareGreaterEqualU##T: return compare<Predicate::ICMP_UGE, T>;                 \
    case Opcode::VCompareTest##T: return compare_test<T>;                                          \
    case Opcode::VShlImm##T: return shift<BinaryOps::Shl, T>;                                      \
    case Opcode::VLsrImm##T: return shift<BinaryOps::LShr, T>;                                     \
    case Opcode::VAsrImm##T: return shift<BinaryOps::AShr, T>;
#define LANES_32(T)                                                                                \
    case Opcode::VMul##T: return binary<BinaryOps::Mul, T>;                                        \
    case Opcode::VMaxS##T: return binary_intrinsic<llvm::Intrinsic::smax, T>;                      \
    case Opcode::VMaxU##T: return binary_intrinsic<llvm::Intrinsic::umax, T>;                      \
    case Opcode::VMinS##T: return binary_intrinsic<llvm::Intrinsic::smin, T>;                      \
    case Opcode::VMinU##T: return binary_intrinsic<llvm::Intrinsic::umin, T>;                      \
    case Opcode::VWidenS##T: return widen<T, true>;                                                \
    case Opcode::VWidenU##T: return widen<T, false>;                                               \
    case Opcode::VMulLongS##T: return multiply_long<T, true>;                                      \
    case Opcode::VMulLongU##T: return multiply_long<T, false>;                                     \
    case Opcode::VPairwiseAddLongS##T: return pairwise_add_long<T, true>;                          \
    case Opcode::VPairwiseAddLongU##T: return pairwise_add_long<T, false>;                         \
    case Opcode::VMaxPairwiseS##T: return pairwise<T, llvm::Intrinsic::smax>;                      \
    case Opcode::VMaxPairwiseU##T: return pairwise<T, llvm::Intrinsic::umax>;                      \
    case Opcode::VMinPairwiseS##T: return pairwise<T, llvm::Intrinsic::smin>;                      \
    case Opcode::VMinPairwiseU##T: return pairwise<T, llvm::Intrinsic::umin>;                      \
    case Opcode::VAcrossAdd##T: return across<llvm::Intrinsic::vector_reduce_add, T>;              \
    case Opcode::VAcrossAddLongS##T: return across_add_long<T, true>;                              \
    case Opcode::VAcrossAddLongU##T: return across_add_long<T, false>;                             \
    case Opcode::VAcrossMaxS##T: return across<llvm::Intrinsic::vector_reduce_smax, T>;            \
    case Opcode::VAcrossMaxU##T: return across<llvm::Intrinsic::vector_reduce_umax, T>;            \
    case Opcode::VAcrossMinS##T: return across<llvm::Intrinsic::vector_reduce_smin, T>;            \
    case Opcode::VAcrossMinU##T: return across<llvm::Intrinsic::vector_reduce_umin, T>;            \
    case Opcode::VNarrow##T: return narrow<T>;
    switch (op) {
    LANES(8)
    LANES(16)
    LANES(32)
    LANES(64)
    LANES_32(8)
    LANES_32(16)
    LANES_32(32)
    case Opcode::VZero: return vector_zero;
    case Opcode::VConst64: return vector_constant;
    case Opcode::VFromI64: case Opcode::VFromF16: case Opcode::VFromF32: case Opcode::VFromF64: return from_scalar;
    case Opcode::VToF16: case Opcode::VToF32: case Opcode::VToF64: return to_scalar;
    case Opcode::VCombine: return combine;
    case Opcode::VZeroUpper64: return zero_upper;
    case Opcode::VMergeHigh64: return merge_high;
    case Opcode::VExtract: return extract;
    case Opcode::VReverse16_8: return reverse<8, 16>;
    case Opcode::VReverse32_8: return reverse<8, 32>;
    case Opcode::VReverse32_16: return reverse<16, 32>;
    case Opcode::VReverse64_8: return reverse<8, 64>;
    case Opcode::VReverse64_16: return reverse<16, 64>;
    case Opcode::VReverse64_32: return reverse<32, 64>;
    case Opcode::VAnd: return binary<BinaryOps::And, 64>;
    case Opcode::VOr: return binary<BinaryOps::Or, 64>;
    case Opcode::VXor: return binary<BinaryOps::Xor, 64>;
    case Opcode::VAndNot: return and_not;
    case Opcode::VOrNot: return or_not;
    case Opcode::VNot: return not_;
    case Opcode::VSelect: return select;
    default: return nullptr;
    }
#undef LANES
#undef LANES_32
    // clang-format on
}

} // namespace tandem::jit::llvm_tier
