#pragma once
/// The predecoded form shared by the predecoder and the interpreter's handler files.
#include "ir/interpreter/interpreter.h"
#include "ir/memory_access.h"
#include "ir/semantics/thunk.h"

#include <bit>
#include <cstring>

namespace tandem::ir {

/// Where a value is, in units of 8 bytes: in guest state, from the context on, if kStateOperand is
/// set, else in the frame's slots (an even number, 16 bytes each).
using Operand = u16;
inline constexpr Operand kStateOperand = 0x8000;
inline constexpr Operand kZeroOperand = 0; ///< a slot that is always 0
inline constexpr unsigned kOperandUnit = 8;

/// The immediate's parts, where an operation needs more than its own.
/// Of what may raise an exception: which guest instruction it belongs to.
struct Mark {
    static constexpr unsigned kBits = 18;
    u32 value = 0; ///< page offset in bits 11:0, index in the block above
    [[nodiscard]] static constexpr Mark of(u64 insn) {
        return {insn_page_offset(insn) | insn_index(insn) << 12};
    }
    [[nodiscard]] constexpr u32 page_offset() const { return value & 0xfff; }
    [[nodiscard]] constexpr u32 index() const { return value >> 12; }
};
static_assert(kMaxBlockInstructions <= 1u << (Mark::kBits - 12));

/// Of memory operations: MemoryOp::pack() in the low 16 bits, the mark, a displacement of the
/// address.
struct MemoryImm {
    static constexpr unsigned kDisplacementBits = 64 - 16 - Mark::kBits;
    u64 value = 0;
    [[nodiscard]] static constexpr bool fits(u64 displacement) {
        return sign_extend(displacement, kDisplacementBits) == static_cast<i64>(displacement);
    }
    [[nodiscard]] static constexpr MemoryImm pack(u64 memory_op, Mark mark, u64 displacement) {
        return {memory_op | u64{mark.value} << 16 | displacement << (16 + Mark::kBits)};
    }
    [[nodiscard]] constexpr MemoryOp op() const { return MemoryOp::unpack(value & 0xffff); }
    [[nodiscard]] constexpr Mark mark() const {
        return {static_cast<u32>(value >> 16) & ((1u << Mark::kBits) - 1)};
    }
    [[nodiscard]] constexpr u64 displacement() const {
        return static_cast<u64>(static_cast<i64>(value) >> (16 + Mark::kBits));
    }
};

/// Of exits: the target's offset from the page, and how many instructions have retired.
struct ExitImm {
    static constexpr unsigned kTargetBits = 48;
    u64 value = 0;
    [[nodiscard]] static constexpr ExitImm pack(u64 target, u32 retired) {
        return {(target & ((u64{1} << kTargetBits) - 1)) | u64{retired} << kTargetBits};
    }
    [[nodiscard]] constexpr u64 target() const {
        return static_cast<u64>(sign_extend(value, kTargetBits));
    }
    [[nodiscard]] constexpr u32 retired() const { return static_cast<u32>(value >> kTargetBits); }
};

struct Predecoded::Op {
    Handler handler = nullptr;
    Operand dst = 0;
    std::array<Operand, 3> args{};
    u64 imm = 0;
};

struct Predecoded::Frame {
    ExecContext &ctx;
    const Helper *helpers;
    std::array<u64, 2> bases; ///< of operands, by their kStateOperand bit
    i64 budget;               ///< before the block
    u32 retired = 0;          ///< instructions begun, the current one included, when that matters

    Frame(ExecContext &context, const Helper *helper_table, void *slots)
        : ctx(context), helpers(helper_table),
          bases{reinterpret_cast<u64>(slots),
                reinterpret_cast<u64>(&context) - u64{kStateOperand} * kOperandUnit},
          budget(context.budget) {}

    [[nodiscard]] std::byte *at(Operand operand) const {
        return reinterpret_cast<std::byte *>(bases[operand >> 15] + u64{operand} * kOperandUnit);
    }
    /// Reads no more than the type's bytes: state slots are no wider.
    template <typename T>
    [[nodiscard]] T get(Operand operand) const {
        if constexpr (std::is_same_v<T, bool>) {
            return get<u8>(operand) != 0;
        } else {
            T value;
            std::memcpy(&value, at(operand), sizeof value);
            return value;
        }
    }
    /// Integers are written zero-extended to 64 bits, scalars of the vector class to 128, flags as
    /// 32 bits; predecoding relies on it.
    template <typename T>
    void set(Operand operand, T value) {
        static_assert(sizeof(T) >= 4);
        std::memcpy(at(operand), &value, sizeof value);
    }

    template <typename T>
    [[nodiscard]] T state(u64 offset) const {
        T value;
        std::memcpy(&value, reinterpret_cast<const std::byte *>(&ctx) + offset, sizeof value);
        return value;
    }
    template <typename T>
    void set_state(u64 offset, const T &value) {
        std::memcpy(reinterpret_cast<std::byte *>(&ctx) + offset, &value, sizeof value);
    }
    void begin(Mark mark) {
        ctx.pc = ctx.pc_page + mark.page_offset();
        ctx.budget = budget - static_cast<i64>(mark.index());
        retired = mark.index() + 1;
    }
    void leave(ExitImm imm) {
        ctx.pc = ctx.pc_page + imm.target();
        retired = imm.retired();
    }
};

/// What predecoding does with an operation.
enum class Action : u8 {
    Skip,
    Mark,
    Get,      ///< of state: consumers read it there if they can
    Set,      ///< producers write there if they can
    Constant, ///< consumers hold it in their immediate if they can
    Rename,   ///< the result is what its argument has in memory
    Extend,   ///< likewise, if what is above the argument is 0
    Plain,    ///< handler with arguments and immediate as they are
    Thunk,    ///< calls the definition; the next Op's immediate is its address
    Memory,   ///< immediate: MemoryImm
    Second,   ///< belongs to the pair load before it
    Call,     ///< immediate as in the IR; the next Op's first argument is the fourth one
    ExitIf,   ///< immediate: ExitImm; args[1] is the immediate of a condition folded into it
    RaiseIf,  ///< likewise; dst is the page offset, args[2] the index
    Exit,     ///< immediate: ExitImm
};

struct HandlerRow {
    Predecoded::Handler handler = nullptr;
    Predecoded::Handler last_is_imm = nullptr; ///< the last argument is the immediate
    Predecoded::Handler exit_if = nullptr;     ///< of a condition: folded into ExitIf, RaiseIf
    Predecoded::Handler raise_if = nullptr;
    Action action = Action::Thunk;
};

/// Each file fills in the rows of its operations; the others remain thunks.
using HandlerTable = std::array<HandlerRow, kOpcodeCount>;
void add_integer_handlers(HandlerTable &table);
void add_memory_handlers(HandlerTable &table);
void add_control_handlers(HandlerTable &table);

/// Handlers that the predecoder asks for by name.
struct NamedHandlers {
    Predecoded::Handler begin;                 ///< an instruction that calls a helper; imm: Mark
    Predecoded::Handler constant;              ///< 8 bytes
    Predecoded::Handler flags_constant;        ///< 4 bytes
    Predecoded::Handler state_constant;        ///< 4 bytes at offset imm<63:32>
    std::array<Predecoded::Handler, 3> copies; ///< args[0] to dst: 4, 8, 16 bytes
    std::array<Predecoded::Handler, 3> thunks; ///< results of 4, 8, 16 bytes
};
extern const NamedHandlers kNamedHandlers;

} // namespace tandem::ir
