#pragma once
/// Appends instructions to a block. Values are typed by the opcode that makes them:
///     Value<Type::I64> sum = b.Add64(b.get_x(1), b.Const64(4));
/// One member function per row of opcodes.inc, named after it, taking the arguments in order and
/// then the immediate (default 0). The builder folds nothing; passes do.
#include "ir/block.h"
#include "support/check.h"

namespace tandem::ir {

template <Type T>
struct Value {
    ValueId id = kNoValue;
    [[nodiscard]] bool exists() const { return id != kNoValue; }
};
using I1 = Value<Type::I1>;
using I32 = Value<Type::I32>;
using I64 = Value<Type::I64>;
using F16 = Value<Type::F16>;
using F32 = Value<Type::F32>;
using F64 = Value<Type::F64>;
using V128 = Value<Type::V128>;
using Flags = Value<Type::Flags>;

class Builder {
public:
    explicit Builder(Block &block) : block_(block) {}

    [[nodiscard]] Block &block() { return block_; }

    ValueId append(Opcode op, std::array<ValueId, 4> args, u64 imm) {
        CHECK(block_.insts.size() < kMaxBlockInsts);
        block_.insts.push_back(Inst{op, args, imm});
        return static_cast<ValueId>(block_.insts.size() - 1);
    }

#define OPCODE(name, ...) TANDEM_BUILD(name, __VA_ARGS__)
#define TANDEM_COUNT(_1, _2, _3, _4, _5, n, ...) n
#define TANDEM_BUILD(name, ...)                                                                    \
    TANDEM_PASTE(TANDEM_BUILD, TANDEM_COUNT(__VA_ARGS__, 4, 3, 2, 1, 0, _))(name, __VA_ARGS__)
#define TANDEM_PASTE(a, b) TANDEM_PASTE_(a, b)
#define TANDEM_PASTE_(a, b) a##b
#define TANDEM_BUILD0(name, R)                                                                     \
    Value<Type::R> name(u64 imm = 0) {                                                             \
        return {append(Opcode::name, {kNoValue, kNoValue, kNoValue, kNoValue}, imm)};              \
    }
#define TANDEM_BUILD1(name, R, A)                                                                  \
    Value<Type::R> name(Value<Type::A> a, u64 imm = 0) {                                           \
        return {append(Opcode::name, {a.id, kNoValue, kNoValue, kNoValue}, imm)};                  \
    }
#define TANDEM_BUILD2(name, R, A, B)                                                               \
    Value<Type::R> name(Value<Type::A> a, Value<Type::B> b, u64 imm = 0) {                         \
        return {append(Opcode::name, {a.id, b.id, kNoValue, kNoValue}, imm)};                      \
    }
#define TANDEM_BUILD3(name, R, A, B, C)                                                            \
    Value<Type::R> name(Value<Type::A> a, Value<Type::B> b, Value<Type::C> c, u64 imm = 0) {       \
        return {append(Opcode::name, {a.id, b.id, c.id, kNoValue}, imm)};                          \
    }
#define TANDEM_BUILD4(name, R, A, B, C, D)                                                         \
    Value<Type::R> name(Value<Type::A> a, Value<Type::B> b, Value<Type::C> c, Value<Type::D> d,    \
                        u64 imm = 0) {                                                             \
        return {append(Opcode::name, {a.id, b.id, c.id, d.id}, imm)};                              \
    }
#include "ir/opcodes.inc"
#undef TANDEM_COUNT
#undef TANDEM_BUILD
#undef TANDEM_BUILD0
#undef TANDEM_BUILD1
#undef TANDEM_BUILD2
#undef TANDEM_BUILD3
#undef TANDEM_BUILD4
#undef TANDEM_PASTE
#undef TANDEM_PASTE_

private:
    Block &block_;
};

} // namespace tandem::ir
