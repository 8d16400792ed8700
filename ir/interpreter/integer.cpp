// Integer and flag operations, inlined from their definitions: the bulk of what guests execute.
#include "ir/semantics/integer.h"
#include "ir/interpreter/op.h"
#include "ir/semantics/flags.h"

#include <utility>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;

template <typename R, typename... Args, std::size_t... I>
const Op *apply(Frame &f, const Op *op, R (*function)(Args...), std::index_sequence<I...>) {
    f.set(op->dst, static_cast<u64>(function(f.get<Args>(op->args[I])...)));
    return op + 1;
}
/// An operation without an immediate.
template <auto function>
const Op *plain(Frame &f, const Op *op) {
    return []<typename R, typename... Args>(Frame &frame, const Op *o, R (*)(Args...)) {
        return apply(frame, o, static_cast<R (*)(Args...)>(function),
                     std::index_sequence_for<Args...>{});
    }(f, op, function);
}
template <typename R, typename... Args, std::size_t... I>
const Op *apply_imm(Frame &f, const Op *op, R (*function)(u64, Args...),
                    std::index_sequence<I...>) {
    f.set(op->dst, static_cast<u64>(function(op->imm, f.get<Args>(op->args[I])...)));
    return op + 1;
}
/// An operation whose definition takes the immediate first.
template <auto function>
const Op *with_imm(Frame &f, const Op *op) {
    return []<typename R, typename... Args>(Frame &frame, const Op *o, R (*)(u64, Args...)) {
        return apply_imm(frame, o, static_cast<R (*)(u64, Args...)>(function),
                         std::index_sequence_for<Args...>{});
    }(f, op, function);
}

} // namespace

Predecoded::Handler integer_handler(Opcode op) {
    switch (op) {
#define PLAIN(name)                                                                                \
    case Opcode::name: return plain<semantics::name>;
#define WITH_IMM(name)                                                                             \
    case Opcode::name: return with_imm<semantics::name>;
#define BOTH(name) PLAIN(name##32) PLAIN(name##64)
        BOTH(Add)
        BOTH(Sub)
        BOTH(Adc)
        BOTH(Sbc)
        BOTH(And)
        BOTH(Or)
        BOTH(Xor)
        BOTH(AndNot)
        BOTH(Not)
        BOTH(Shl)
        BOTH(Lsr)
        BOTH(Asr)
        BOTH(Ror)
        BOTH(Mul)
        BOTH(Select)
        BOTH(AddFlags)
        BOTH(SubFlags)
        BOTH(LogicFlags)
        BOTH(IsZero)
        BOTH(IsNonZero)
        PLAIN(MulHighU64)
        PLAIN(Low32)
        PLAIN(ZeroExtend32)
        PLAIN(SignExtend32)
        PLAIN(ZeroExtend1)
        PLAIN(SignExtend8)
        PLAIN(SignExtend16)
        PLAIN(ZeroExtend8)
        PLAIN(ZeroExtend16)
        PLAIN(Equal64)
        PLAIN(LessUnsigned64)
        PLAIN(LessSigned64)
        PLAIN(And1)
        PLAIN(Or1)
        PLAIN(Not1)
        PLAIN(SelectFlags)
        WITH_IMM(CondHolds)
        WITH_IMM(TestBit64)
        WITH_IMM(TestBitClear64)
        WITH_IMM(Extract32)
        WITH_IMM(Extract64)
        WITH_IMM(BitfieldInsert32)
        WITH_IMM(BitfieldInsert64)
        WITH_IMM(BitfieldExtract32)
        WITH_IMM(BitfieldExtract64)
        WITH_IMM(BitfieldExtractSigned32)
        WITH_IMM(BitfieldExtractSigned64)
#undef BOTH
#undef WITH_IMM
#undef PLAIN
    default: return nullptr;
    }
}

} // namespace tandem::ir
