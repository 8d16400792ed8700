#pragma once
/// Loads and stores without side conditions: what passes and executors that emit code know of them.
#include "ir/block.h"

#include <cstdlib>

namespace tandem::ir {

struct PlainAccess {
    u8 parts = 0; ///< 1, or 2 of a pair; 0: not a plain access
    u8 bytes = 0; ///< of a part
    bool is_write = false;
    Type type = Type::I64; ///< of a part's value

    [[nodiscard]] constexpr unsigned size() const { return unsigned{parts} * bytes; }
    explicit constexpr operator bool() const { return parts != 0; }
};

[[nodiscard]] constexpr PlainAccess plain_access(Opcode op) {
    switch (op) {
        // clang-format off
    case Opcode::Load8:         return {1, 1, false, Type::I64};
    case Opcode::Load16:        return {1, 2, false, Type::I64};
    case Opcode::Load32:        return {1, 4, false, Type::I64};
    case Opcode::Load64:        return {1, 8, false, Type::I64};
    case Opcode::LoadF16:       return {1, 2, false, Type::F16};
    case Opcode::LoadF32:       return {1, 4, false, Type::F32};
    case Opcode::LoadF64:       return {1, 8, false, Type::F64};
    case Opcode::LoadV128:      return {1, 16, false, Type::V128};
    case Opcode::LoadPair32:    return {2, 4, false, Type::I64};
    case Opcode::LoadPair64:    return {2, 8, false, Type::I64};
    case Opcode::LoadPairF32:   return {2, 4, false, Type::F32};
    case Opcode::LoadPairF64:   return {2, 8, false, Type::F64};
    case Opcode::LoadPairV128:  return {2, 16, false, Type::V128};
    case Opcode::Store8:        return {1, 1, true, Type::I64};
    case Opcode::Store16:       return {1, 2, true, Type::I64};
    case Opcode::Store32:       return {1, 4, true, Type::I64};
    case Opcode::Store64:       return {1, 8, true, Type::I64};
    case Opcode::StoreF16:      return {1, 2, true, Type::F16};
    case Opcode::StoreF32:      return {1, 4, true, Type::F32};
    case Opcode::StoreF64:      return {1, 8, true, Type::F64};
    case Opcode::StoreV128:     return {1, 16, true, Type::V128};
    case Opcode::StorePair32:   return {2, 4, true, Type::I64};
    case Opcode::StorePair64:   return {2, 8, true, Type::I64};
    case Opcode::StorePairF32:  return {2, 4, true, Type::F32};
    case Opcode::StorePairF64:  return {2, 8, true, Type::F64};
    case Opcode::StorePairV128: return {2, 16, true, Type::V128};
    default: return {};
        // clang-format on
    }
}

/// A guest address: a value of the block and what is added to it.
struct AccessAddress {
    ValueId base = kNoValue;
    i64 offset = 0;
};

/// Looks through additions of constants: the offset stays within some 64 KiB.
[[nodiscard]] inline AccessAddress address_of(const Block &block, ValueId id) {
    AccessAddress address{id, 0};
    for (;;) {
        const Inst &sum = block.insts[address.base];
        if (sum.op != Opcode::Add64 || block.insts[sum.args[1]].op != Opcode::Const64)
            return address;
        const auto more = static_cast<i64>(block.insts[sum.args[1]].imm);
        if (std::abs(more) > 0x8000 || std::abs(address.offset + more) > 0x8000) return address;
        address.offset += more;
        address.base = sum.args[0];
    }
}

} // namespace tandem::ir
