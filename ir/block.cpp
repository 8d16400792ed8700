#include "ir/block.h"

namespace tandem::ir {
namespace {

template <typename... Args>
constexpr OpcodeInfo row(std::string_view name, OpClass op_class, Type result, Args... args) {
    return {name, op_class, result, static_cast<u8>(sizeof...(args)), {args...}};
}

// The enumerators are named without their scope in the table.
using enum Type;
constexpr OpcodeInfo kInfo[] = {
#define PURE(name, ...) row(#name, OpClass::Pure, __VA_ARGS__),
#define FP(name, ...) row(#name, OpClass::Fp, __VA_ARGS__),
#define STATE(name, ...) row(#name, OpClass::State, __VA_ARGS__),
#define MEMORY(name, ...) row(#name, OpClass::Memory, __VA_ARGS__),
#define CALL(name, ...) row(#name, OpClass::Call, __VA_ARGS__),
#define EFFECT(name, ...) row(#name, OpClass::Effect, __VA_ARGS__),
#define EXIT(name, ...) row(#name, OpClass::Exit, __VA_ARGS__),
#include "ir/opcodes.inc"
};

} // namespace

const OpcodeInfo &info(Opcode op) {
    return kInfo[static_cast<unsigned>(op)];
}

} // namespace tandem::ir
