// Integer and flag operations, inlined from their definitions: the bulk of what guests execute.
#include "ir/semantics/integer.h"
#include "ir/interpreter/op.h"
#include "ir/semantics/flags.h"

#include <utility>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;
using Handler = Predecoded::Handler;

/// Handlers of the definition `function`.
template <auto function, typename Signature = decltype(function)>
struct Defined;
template <auto function, typename R, typename... Args>
struct Defined<function, R (*)(Args...)> {
    static constexpr std::size_t kCount = sizeof...(Args);

    /// Without an immediate of its own; `Stored` is how the result is written.
    template <typename Stored, bool last_is_imm>
    static const Op *plain(Frame &f, const Op *op) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            f.set<Stored>(op->dst,
                          static_cast<Stored>(function(
                              argument < Args, last_is_imm && I + 1 == kCount > (f, op, I)...)));
            return op + 1;
        }(std::index_sequence_for<Args...>{});
    }

    template <typename T, bool is_imm>
    static T argument(const Frame &f, const Op *op, std::size_t i) {
        if constexpr (is_imm)
            return static_cast<T>(op->imm);
        else
            return f.get<T>(op->args[i]);
    }
};

/// Of a definition that takes the immediate first.
template <auto function, typename Signature = decltype(function)>
struct DefinedWithImm;
template <auto function, typename R, typename... Args>
struct DefinedWithImm<function, R (*)(u64, Args...)> {
    static const Op *plain(Frame &f, const Op *op) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            f.set<u64>(op->dst, static_cast<u64>(function(op->imm, f.get<Args>(op->args[I])...)));
            return op + 1;
        }(std::index_sequence_for<Args...>{});
    }
};

/// A condition on one value, folded into the exit that it decides.
template <auto function, bool has_imm>
struct Condition {
    static bool holds(const Frame &f, const Op *op) {
        if constexpr (has_imm) {
            return []<typename A>(const Frame &frame, const Op *o, bool (*)(u64, A)) {
                return function(o->args[1], frame.get<A>(o->args[0]));
            }(f, op, function);
        } else {
            return []<typename A>(const Frame &frame, const Op *o, bool (*)(A)) {
                return function(frame.get<A>(o->args[0]));
            }(f, op, function);
        }
    }
    static const Op *exit_if(Frame &f, const Op *op) {
        if (!holds(f, op)) return op + 1;
        f.leave(ExitImm{op->imm});
        return nullptr;
    }
    static const Op *raise_if(Frame &f, const Op *op) {
        if (!holds(f, op)) return op + 1;
        f.begin({u32{op->dst} | u32{op->args[2]} << 16});
        f.helpers[op->imm & 0xffff].function(f.ctx, 0, 0, 0, 0, op->imm >> 16);
        return nullptr;
    }
};
constexpr bool is_true(bool value) {
    return value;
}

} // namespace

void add_integer_handlers(HandlerTable &table) {
    const auto row = [&](Opcode op) -> HandlerRow & {
        HandlerRow &r = table[static_cast<unsigned>(op)];
        r.action = Action::Plain;
        return r;
    };
#define STORED(name, Stored)                                                                       \
    row(Opcode::name).handler = Defined<semantics::name>::plain<Stored, false>;                    \
    row(Opcode::name).last_is_imm = Defined<semantics::name>::plain<Stored, true>;
#define PLAIN(name) STORED(name, u64)
#define FLAGS(name) STORED(name, u32)
#define WITH_IMM(name) row(Opcode::name).handler = DefinedWithImm<semantics::name>::plain;
#define CONDITION(name, has_imm)                                                                   \
    row(Opcode::name).exit_if = Condition<semantics::name, has_imm>::exit_if;                      \
    row(Opcode::name).raise_if = Condition<semantics::name, has_imm>::raise_if;
#define BOTH(KIND, name) KIND(name##32) KIND(name##64)
    BOTH(PLAIN, Add)
    BOTH(PLAIN, Sub)
    BOTH(PLAIN, Adc)
    BOTH(PLAIN, Sbc)
    BOTH(PLAIN, And)
    BOTH(PLAIN, Or)
    BOTH(PLAIN, Xor)
    BOTH(PLAIN, AndNot)
    BOTH(PLAIN, Not)
    BOTH(PLAIN, Shl)
    BOTH(PLAIN, Lsr)
    BOTH(PLAIN, Asr)
    BOTH(PLAIN, Ror)
    BOTH(PLAIN, Mul)
    BOTH(PLAIN, DivU)
    BOTH(PLAIN, DivS)
    BOTH(PLAIN, CountLeadingZeros)
    BOTH(PLAIN, ReverseBits)
    BOTH(PLAIN, ReverseBytes)
    BOTH(PLAIN, Select)
    BOTH(FLAGS, AddFlags)
    BOTH(FLAGS, SubFlags)
    BOTH(FLAGS, AdcFlags)
    BOTH(FLAGS, SbcFlags)
    BOTH(FLAGS, LogicFlags)
    BOTH(PLAIN, IsZero)
    BOTH(PLAIN, IsNonZero)
    PLAIN(MulHighU64)
    PLAIN(MulHighS64)
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
    FLAGS(SelectFlags)
    FLAGS(FlagsFromNzcv)
    PLAIN(NzcvFromFlags)
    WITH_IMM(CondHolds)
    WITH_IMM(TestBit64)
    WITH_IMM(TestBitClear64)
    BOTH(WITH_IMM, Extract)
    BOTH(WITH_IMM, BitfieldInsert)
    BOTH(WITH_IMM, BitfieldExtract)
    BOTH(WITH_IMM, BitfieldExtractSigned)
    CONDITION(CondHolds, true)
    CONDITION(TestBit64, true)
    CONDITION(TestBitClear64, true)
    CONDITION(IsZero32, false)
    CONDITION(IsZero64, false)
    CONDITION(IsNonZero32, false)
    CONDITION(IsNonZero64, false)
    // The same storage; ZeroExtend32's handler serves where it is not.
    row(Opcode::Low32).action = Action::Rename;
    row(Opcode::ZeroExtend32).action = Action::Extend;

    // Conditions that are in a slot.
    using Slot = Condition<is_true, false>;
    for (const Opcode op : {Opcode::ExitIf, Opcode::DispatchIf}) {
        row(op).handler = Slot::exit_if;
        row(op).action = Action::ExitIf;
    }
    row(Opcode::RaiseIf).handler = Slot::raise_if;
    row(Opcode::RaiseIf).action = Action::RaiseIf;
}

} // namespace tandem::ir
