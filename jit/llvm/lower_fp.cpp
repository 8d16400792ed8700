// Floating point, scalar and vector, as jit/baseline/emit_fp.cpp explains it: the host's operation
// in the guest's rounding mode, then one check; NaNs, and results that may have been tiny before
// rounding, are suspicious. Scalar operations of one or two operands put NaNs right themselves; all
// else goes to the definition. Operations are constrained intrinsics, because their flags in
// mxcsr are the guest's: none may be left out, done early or folded. The checks are ordinary
// comparisons: of a result, which is no signalling NaN, they raise nothing.
#include "jit/llvm/lowering.h"

#include <ranges>

namespace tandem::jit::llvm_tier {
namespace {

using llvm::Intrinsic::ID;
constexpr u64 kFlushToZero = 4;

llvm::Value *arg(Lowering &l, const Inst &in, unsigned index) {
    return l.value(in.args[index]);
}
llvm::Value *metadata(Lowering &l, const char *text) {
    llvm::LLVMContext &c = l.b.getContext();
    return llvm::MetadataAsValue::get(c, llvm::MDString::get(c, text));
}
llvm::CallInst *strict(llvm::CallInst *call) {
    call->addFnAttr(llvm::Attribute::StrictFP);
    return call;
}
/// In the mode that mxcsr says.
llvm::Value *rounded(Lowering &l, ID id, llvm::ArrayRef<llvm::Type *> types,
                     std::vector<llvm::Value *> args) {
    args.push_back(metadata(l, "round.dynamic"));
    args.push_back(metadata(l, "fpexcept.strict"));
    return strict(l.b.CreateIntrinsic(id, types, args));
}
llvm::Value *exact(Lowering &l, ID id, llvm::ArrayRef<llvm::Type *> types,
                   std::vector<llvm::Value *> args) {
    args.push_back(metadata(l, "fpexcept.strict"));
    return strict(l.b.CreateIntrinsic(id, types, args));
}
void by_definition(Lowering &l, const Inst &in, ValueId id) {
    l.set(id, l.call_thunk(in));
}

/// Is any lane NaN, or of the magnitude of the smallest normal number if `checks_tiny`?
llvm::Value *suspicious(Lowering &l, llvm::Value *result, bool checks_tiny) {
    llvm::Type *type = result->getType();
    llvm::Value *lanes = nullptr;
    if (checks_tiny) {
        const auto &semantics = type->getScalarType()->getFltSemantics();
        llvm::Value *minimum =
            llvm::ConstantFP::get(type, llvm::APFloat::getSmallestNormalized(semantics));
        llvm::Value *magnitude = l.b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, result);
        lanes = l.b.CreateFCmpUEQ(magnitude, minimum);
    } else {
        lanes = l.b.CreateFCmpUNO(result, result);
    }
    const auto *vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
    if (vector == nullptr) return lanes;
    llvm::Type *mask = l.b.getIntNTy(vector->getNumElements());
    return l.b.CreateICmpNE(l.b.CreateBitCast(lanes, mask), llvm::ConstantInt::get(mask, 0));
}

/// The type that an operation computes in; V128 values are cast to it. Width 0: a scalar.
template <unsigned width>
llvm::Value *in_lanes(Lowering &l, llvm::Value *v) {
    return width == 0 ? v : l.b.CreateBitCast(v, l.fp_vector(width));
}
template <unsigned width>
void finish(Lowering &l, const Inst &in, ValueId id, llvm::Value *result, llvm::Value *check) {
    if (width != 0) result = l.b.CreateBitCast(result, l.vector(64));
    l.set(id, l.unless(check, result, in));
}

/// Of a result that is NaN (FPProcessNaNs): a signalling operand goes before a quiet one, then the
/// first before the second; without any it is the default NaN. The host has raised the flags.
llvm::Value *propagated_nan(Lowering &l, ir::FpMode mode, std::span<llvm::Value *const> args) {
    llvm::Type *type = args[0]->getType();
    const bool is_double = type->isDoubleTy();
    llvm::Type *word = l.b.getIntNTy(is_double ? 64 : 32);
    const auto constant = [&](u64 of_double, u64 of_float) {
        return llvm::ConstantInt::get(word, is_double ? of_double : of_float);
    };
    llvm::Value *quiet = constant(u64{1} << 51, u64{1} << 22);
    llvm::Value *infinity = constant(u64{0x7ff} << 52, u64{0xff} << 23);
    llvm::Value *result = l.b.CreateOr(infinity, quiet);
    // An empty instruction that stays here keeps all of this out of the hot path.
    llvm::InlineAsm *stay =
        llvm::InlineAsm::get(llvm::FunctionType::get(type, {type}, false), "", "=x,0", true);
    std::vector<llvm::Value *> patterns;
    for (llvm::Value *arg : args)
        patterns.push_back(l.b.CreateBitCast(l.b.CreateCall(stay, {arg}), word));
    const auto prefer = [&](bool only_signalling) {
        for (llvm::Value *pattern : patterns | std::views::reverse) {
            llvm::Value *magnitude = l.b.CreateAnd(pattern, constant(ones(63), ones(31)));
            llvm::Value *is_wanted = l.b.CreateICmpUGT(magnitude, infinity);
            if (only_signalling)
                is_wanted = l.b.CreateAnd(
                    is_wanted, l.b.CreateICmpULT(magnitude, l.b.CreateOr(infinity, quiet)));
            result = l.b.CreateSelect(is_wanted, l.b.CreateOr(pattern, quiet), result);
        }
    };
    if (!mode.default_nan()) {
        prefer(false);
        prefer(true);
    }
    return l.b.CreateBitCast(result, type);
}

/// `result` unless `check`; then it is NaN, or tiny if it may be.
llvm::Value *put_right(Lowering &l, const Inst &in, llvm::Value *result, llvm::Value *check,
                       bool may_be_tiny, std::span<llvm::Value *const> args) {
    return l.unless(check, result, [&] {
        llvm::Value *nan = propagated_nan(l, ir::FpMode{static_cast<u8>(in.imm)}, args);
        return may_be_tiny ? l.unless(l.b.CreateFCmpORD(result, result), nan, in) : nan;
    });
}

template <ID intrinsic, bool checks_tiny, unsigned width = 0>
void arithmetic(Lowering &l, const Inst &in, ValueId id) {
    if ((in.imm & kFlushToZero) != 0) return by_definition(l, in, id);
    std::vector<llvm::Value *> args;
    for (unsigned i = 0; i < ir::info(in.op).arg_count; ++i)
        args.push_back(in_lanes<width>(l, arg(l, in, i)));
    llvm::Value *result = rounded(l, intrinsic, {args[0]->getType()}, args);
    llvm::Value *check = suspicious(l, result, checks_tiny);
    if (width == 0)
        l.set(id, put_right(l, in, result, check, checks_tiny, args));
    else
        finish<width>(l, in, id, result, check);
}

/// a + b * c.
template <unsigned width = 0>
void multiply_add(Lowering &l, const Inst &in, ValueId id) {
    if ((in.imm & kFlushToZero) != 0) return by_definition(l, in, id);
    llvm::Value *a = in_lanes<width>(l, arg(l, in, 0));
    llvm::Value *b = in_lanes<width>(l, arg(l, in, 1));
    llvm::Value *c = in_lanes<width>(l, arg(l, in, 2));
    llvm::Value *result =
        rounded(l, llvm::Intrinsic::experimental_constrained_fma, {a->getType()}, {b, c, a});
    finish<width>(l, in, id, result, suspicious(l, result, true));
}

template <unsigned width = 0>
void absolute_difference(Lowering &l, const Inst &in, ValueId id) {
    if ((in.imm & kFlushToZero) != 0) return by_definition(l, in, id);
    llvm::Value *a = in_lanes<width>(l, arg(l, in, 0));
    llvm::Value *b = in_lanes<width>(l, arg(l, in, 1));
    llvm::Value *result =
        rounded(l, llvm::Intrinsic::experimental_constrained_fsub, {a->getType()}, {a, b});
    llvm::Value *check = suspicious(l, result, false);
    finish<width>(l, in, id, l.b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, result), check);
}

template <unsigned width = 0>
void absolute(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *a = in_lanes<width>(l, arg(l, in, 0));
    llvm::Value *result = l.b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
    l.set(id, l.b.CreateBitCast(result, arg(l, in, 0)->getType()));
}
template <unsigned width = 0>
void negate(Lowering &l, const Inst &in, ValueId id) {
    llvm::Value *result = l.b.CreateFNeg(in_lanes<width>(l, arg(l, in, 0)));
    l.set(id, l.b.CreateBitCast(result, arg(l, in, 0)->getType()));
}

/// FCMP and FCMPE: the host raises Invalid as Arm does, for signalling NaNs or for all. Comparing
/// twice raises nothing new.
void compare(Lowering &l, const Inst &in, ValueId id) {
    if ((in.imm & kFlushToZero) != 0) {
        l.flags(id) = l.unpack(l.call_thunk(in));
        return;
    }
    const ID intrinsic = bit(in.imm, 8) ? llvm::Intrinsic::experimental_constrained_fcmps
                                        : llvm::Intrinsic::experimental_constrained_fcmp;
    llvm::Value *a = arg(l, in, 0);
    llvm::Value *b = arg(l, in, 1);
    // For its flags in mxcsr. What the guest wants to know is compared for again.
    exact(l, intrinsic, {a->getType()}, {a, b, metadata(l, "oeq")});
    l.flags(id) = {.kind = FlagsValue::Kind::Operation,
                   .form = a->getType()->isDoubleTy() ? FlagsForm::Compare64 : FlagsForm::Compare32,
                   .a = a,
                   .b = b};
}

/// Fixed point is for the definition.
bool has_fraction(const Inst &in) {
    return bits(in.imm, 22, 16) != 0;
}

template <bool is_unsigned>
void from_integer(Lowering &l, const Inst &in, ValueId id) {
    if (has_fraction(in)) return by_definition(l, in, id);
    llvm::Value *a = arg(l, in, 0);
    llvm::Type *type = l.type(ir::info(in.op).result);
    const bool is_64 = a->getType()->isIntegerTy(64);
    if (is_unsigned && !is_64) a = l.b.CreateZExt(a, l.b.getInt64Ty());
    llvm::Value *result =
        rounded(l, llvm::Intrinsic::experimental_constrained_sitofp, {type, a->getType()}, {a});
    if (is_unsigned && is_64) result = l.unless(l.b.CreateICmpSLT(a, l.const64(0)), result, in);
    l.set(id, result);
}

/// Truncation by the host's instruction; LLVM's own conversion would not say what overflows.
llvm::Value *truncate(Lowering &l, llvm::Value *a, unsigned to_width) {
    const bool is_double = a->getType()->isDoubleTy();
    llvm::Type *to = l.b.getIntNTy(to_width);
    auto *type = llvm::FunctionType::get(to, {a->getType()}, false);
    const std::string text =
        std::string(is_double ? "cvttsd2si" : "cvttss2si") + (to_width == 64 ? "q" : "l");
    return l.b.CreateCall(llvm::InlineAsm::get(type, text + " $1, $0", "=r,x", true), {a});
}

/// Values that the host cannot represent, or represents differently, go to the definition.
template <unsigned to_width, bool is_signed>
void to_integer(Lowering &l, const Inst &in, ValueId id) {
    const auto rounding = static_cast<ir::Rounding>(bits(in.imm, 10, 8));
    if ((in.imm & kFlushToZero) != 0 || has_fraction(in) || rounding != ir::Rounding::Zero)
        return by_definition(l, in, id);
    llvm::Value *a = arg(l, in, 0);
    if (is_signed) {
        llvm::Value *result = truncate(l, a, to_width);
        // The "integer indefinite" value, also a valid result.
        llvm::Value *limit = llvm::ConstantInt::get(result->getType(), u64{1} << (to_width - 1));
        l.set(id, l.unless(l.b.CreateICmpEQ(result, limit), result, in));
        return;
    }
    // As bit patterns, negative numbers, infinities and NaNs are above every number in range. They
    // are not to reach the host's instruction, which would raise flags.
    const bool is_double = a->getType()->isDoubleTy();
    llvm::Type *pattern = l.b.getIntNTy(is_double ? 64 : 32);
    const u64 limit = is_double ? (to_width == 64 ? 0x43e0'0000'0000'0000 : 0x41f0'0000'0000'0000)
                                : (to_width == 64 ? 0x5f00'0000 : 0x4f80'0000);
    llvm::Value *is_out =
        l.b.CreateICmpUGE(l.b.CreateBitCast(a, pattern), llvm::ConstantInt::get(pattern, limit));
    llvm::Value *zero = llvm::ConstantFP::get(a->getType(), 0.0);
    llvm::Value *result = truncate(l, l.b.CreateSelect(is_out, zero, a), 64);
    if (to_width == 32) result = l.b.CreateTrunc(result, l.b.getInt32Ty());
    l.set(id, l.unless(is_out, result, in));
}

void widen(Lowering &l, const Inst &in, ValueId id) {
    if ((in.imm & kFlushToZero) != 0) return by_definition(l, in, id);
    llvm::Value *result = exact(l, llvm::Intrinsic::experimental_constrained_fpext,
                                {l.b.getDoubleTy(), l.b.getFloatTy()}, {arg(l, in, 0)});
    finish<0>(l, in, id, result, suspicious(l, result, false));
}
void narrow(Lowering &l, const Inst &in, ValueId id) {
    if ((in.imm & kFlushToZero) != 0) return by_definition(l, in, id);
    llvm::Value *result = rounded(l, llvm::Intrinsic::experimental_constrained_fptrunc,
                                  {l.b.getFloatTy(), l.b.getDoubleTy()}, {arg(l, in, 0)});
    finish<0>(l, in, id, result, suspicious(l, result, true));
}

} // namespace

Lowering::Emitter fp_lowering(Opcode op, const HostFeatures &host) {
    // clang-format off
    switch (op) {
    case Opcode::FAdd32: case Opcode::FAdd64: return arithmetic<llvm::Intrinsic::experimental_constrained_fadd, false>;
    case Opcode::FSub32: case Opcode::FSub64: return arithmetic<llvm::Intrinsic::experimental_constrained_fsub, false>;
    case Opcode::FMul32: case Opcode::FMul64: return arithmetic<llvm::Intrinsic::experimental_constrained_fmul, true>;
    case Opcode::FDiv32: case Opcode::FDiv64: return arithmetic<llvm::Intrinsic::experimental_constrained_fdiv, true>;
    case Opcode::FSqrt32: case Opcode::FSqrt64: return arithmetic<llvm::Intrinsic::experimental_constrained_sqrt, false>;
    case Opcode::FMulAdd32: case Opcode::FMulAdd64: return host.fma ? multiply_add<> : nullptr;
    case Opcode::FAbsDiff32: case Opcode::FAbsDiff64: return absolute_difference<>;
    case Opcode::FAbs32: case Opcode::FAbs64: return absolute<>;
    case Opcode::FNeg32: case Opcode::FNeg64: return negate<>;
    case Opcode::FCompare32: case Opcode::FCompare64: return compare;
    case Opcode::S32ToF32: case Opcode::S32ToF64: case Opcode::S64ToF32: case Opcode::S64ToF64: return from_integer<false>;
    case Opcode::U32ToF32: case Opcode::U32ToF64: case Opcode::U64ToF32: case Opcode::U64ToF64: return from_integer<true>;
    case Opcode::FToS3232: case Opcode::FToS3264: return to_integer<32, true>;
    case Opcode::FToU3232: case Opcode::FToU3264: return to_integer<32, false>;
    case Opcode::FToS6432: case Opcode::FToS6464: return to_integer<64, true>;
    case Opcode::FToU6432: case Opcode::FToU6464: return to_integer<64, false>;
    case Opcode::F32ToF64: return widen;
    case Opcode::F64ToF32: return narrow;
    case Opcode::VFAdd32: return arithmetic<llvm::Intrinsic::experimental_constrained_fadd, false, 32>;
    case Opcode::VFAdd64: return arithmetic<llvm::Intrinsic::experimental_constrained_fadd, false, 64>;
    case Opcode::VFSub32: return arithmetic<llvm::Intrinsic::experimental_constrained_fsub, false, 32>;
    case Opcode::VFSub64: return arithmetic<llvm::Intrinsic::experimental_constrained_fsub, false, 64>;
    case Opcode::VFMul32: return arithmetic<llvm::Intrinsic::experimental_constrained_fmul, true, 32>;
    case Opcode::VFMul64: return arithmetic<llvm::Intrinsic::experimental_constrained_fmul, true, 64>;
    case Opcode::VFDiv32: return arithmetic<llvm::Intrinsic::experimental_constrained_fdiv, true, 32>;
    case Opcode::VFDiv64: return arithmetic<llvm::Intrinsic::experimental_constrained_fdiv, true, 64>;
    case Opcode::VFSqrt32: return arithmetic<llvm::Intrinsic::experimental_constrained_sqrt, false, 32>;
    case Opcode::VFSqrt64: return arithmetic<llvm::Intrinsic::experimental_constrained_sqrt, false, 64>;
    case Opcode::VFMulAdd32: return host.fma ? multiply_add<32> : nullptr;
    case Opcode::VFMulAdd64: return host.fma ? multiply_add<64> : nullptr;
    case Opcode::VFAbs32: return absolute<32>;
    case Opcode::VFAbs64: return absolute<64>;
    case Opcode::VFNeg32: return negate<32>;
    case Opcode::VFNeg64: return negate<64>;
    default: return nullptr;
    }
    // clang-format on
}

} // namespace tandem::jit::llvm_tier
