#pragma once
/// A translation block: a linear list of SSA instructions with one entry and one or more exits.
/// An instruction's index is the name of its value.
#include "ir/types.h"

#include <span>
#include <string_view>
#include <vector>

namespace tandem::ir {

struct ExecContext;

enum class Opcode : u16 {
#define OPCODE(name, ...) name,
#include "ir/opcodes.inc"
};
inline constexpr unsigned kOpcodeCount = 0
#define OPCODE(name, ...) +1
#include "ir/opcodes.inc"
    ;

enum class OpClass : u8 { Pure, Fp, State, Memory, Call, Effect, Exit };

/// Static properties of an opcode, from the table.
struct OpcodeInfo {
    std::string_view name;
    OpClass op_class;
    Type result;
    u8 arg_count;
    std::array<Type, 4> args;
};
[[nodiscard]] const OpcodeInfo &info(Opcode op);

namespace detail {
template <typename... Args>
constexpr u8 count_args(Type /*result*/, Args...) {
    return sizeof...(Args);
}
// What translation asks of every instruction: apart, because few bytes stay in the cache.
using enum Type;
inline constexpr std::array<u8, kOpcodeCount> kArgCounts{
#define OPCODE(name, ...) count_args(__VA_ARGS__),
#include "ir/opcodes.inc"
};
inline constexpr std::array<OpClass, kOpcodeCount> kOpClasses{
#define PURE(name, ...) OpClass::Pure,
#define FP(name, ...) OpClass::Fp,
#define STATE(name, ...) OpClass::State,
#define MEMORY(name, ...) OpClass::Memory,
#define CALL(name, ...) OpClass::Call,
#define EFFECT(name, ...) OpClass::Effect,
#define EXIT(name, ...) OpClass::Exit,
#include "ir/opcodes.inc"
};
inline constexpr std::array<Type, kOpcodeCount> kResultTypes{
#define OPCODE(name, result, ...) result,
#include "ir/opcodes.inc"
};
} // namespace detail
[[nodiscard]] constexpr unsigned arg_count(Opcode op) {
    return detail::kArgCounts[static_cast<unsigned>(op)];
}
[[nodiscard]] constexpr OpClass op_class(Opcode op) {
    return detail::kOpClasses[static_cast<unsigned>(op)];
}
[[nodiscard]] constexpr Type result_type(Opcode op) {
    return detail::kResultTypes[static_cast<unsigned>(op)];
}

using ValueId = u16;
inline constexpr ValueId kNoValue = 0xffff;

struct Inst {
    Opcode op = Opcode::Nop;
    std::array<ValueId, 4> args{kNoValue, kNoValue, kNoValue, kNoValue};
    u64 imm = 0;
};

/// How an indirect exit was written, for the return stack.
enum class BranchHint : u8 { None, Call, Return };

/// Imm of Insn.
[[nodiscard]] constexpr u64 insn_imm(u32 page_offset, u32 index) {
    return page_offset | u64{index} << 16;
}
[[nodiscard]] constexpr u32 insn_page_offset(u64 imm) {
    return static_cast<u32>(imm & 0xfff);
}
[[nodiscard]] constexpr u32 insn_index(u64 imm) {
    return static_cast<u32>((imm >> 16) & 0xffff);
}

/// No block is longer than this many guest instructions; budgets are compared against it.
inline constexpr u32 kMaxBlockInstructions = 64;
/// No block has more IR instructions than this.
inline constexpr u32 kMaxBlockInsts = 4096;

struct Block {
    u32 page_offset = 0;        ///< of the first guest instruction
    u32 mode = 0;               ///< frontend's mode bits it was translated for
    u32 guest_bytes = 0;        ///< length of the guest code read, from page_offset
    u32 guest_instructions = 0; ///< number of Insn markers
    std::vector<Inst> insts;

    void clear() {
        page_offset = mode = guest_bytes = guest_instructions = 0;
        insts.clear();
    }
};

/// A frontend function that IR code may call. It gets the context, up to four values and the
/// upper 48 bits of the instruction's immediate. Before a call every executor has written all
/// guest state back if `accesses_state`, and ExecContext::pc is the current instruction's address
/// if `may_exit`; after a may_exit helper it tests ExecContext::pending_exit and leaves the block.
/// A helper that does neither does no floating-point arithmetic: MXCSR is the guest's. Of state it
/// may read what was written before a Fence of FenceKind::State.
struct Helper {
    using Function = u64 (*)(ExecContext &, u64 a, u64 b, u64 c, u64 d, u64 imm);
    std::string_view name;
    Function function = nullptr;
    bool accesses_state = true;
    bool may_exit = false;
};

} // namespace tandem::ir
