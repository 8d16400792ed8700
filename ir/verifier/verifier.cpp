#include "ir/verifier/verifier.h"

#include "ir/memory_op.h"

#include <fmt/format.h>

#include <bit>

namespace tandem::ir {
namespace {

bool is_second(Opcode op) {
    return op == Opcode::Second || op == Opcode::SecondF32 || op == Opcode::SecondF64 ||
           op == Opcode::SecondV128;
}

/// The Second* operation that belongs to a pair load, or Nop.
Opcode second_of(Opcode op) {
    switch (op) {
    case Opcode::LoadPair32:
    case Opcode::LoadPair64: return Opcode::Second;
    case Opcode::LoadPairF32: return Opcode::SecondF32;
    case Opcode::LoadPairF64: return Opcode::SecondF64;
    case Opcode::LoadPairV128: return Opcode::SecondV128;
    default: return Opcode::Nop;
    }
}

bool ends_block(Opcode op) {
    return op == Opcode::Exit || op == Opcode::ExitIndirect || op == Opcode::ExitDispatch;
}

/// A bit field of an operand of `bits` bits: lsb | width << 8.
bool is_field(u64 imm, u64 bits) {
    const u64 lsb = imm & 0xff, width = imm >> 8;
    return width >= 1 && width <= bits && lsb <= bits - width;
}

/// What the definitions in ir/semantics/integer.h demand of the immediate.
bool has_valid_immediate(const Inst &inst) {
    switch (inst.op) {
    case Opcode::BitfieldInsert32:
    case Opcode::BitfieldExtract32:
    case Opcode::BitfieldExtractSigned32: return is_field(inst.imm, 32);
    case Opcode::BitfieldInsert64:
    case Opcode::BitfieldExtract64:
    case Opcode::BitfieldExtractSigned64: return is_field(inst.imm, 64);
    case Opcode::Extract32: return inst.imm < 32;
    case Opcode::Extract64:
    case Opcode::TestBit64:
    case Opcode::TestBitClear64: return inst.imm < 64;
    case Opcode::Crc32:
    case Opcode::Crc32C: return inst.imm <= 8 && std::has_single_bit(inst.imm);
    default: return true;
    }
}

class Verifier {
public:
    Verifier(const Block &block, std::span<const Helper> helpers)
        : block_(block), helpers_(helpers) {}

    Result<> run() {
        if (block_.page_offset >= 4096) return failure("IR block: page offset outside the page");
        if (block_.insts.empty()) return failure("IR block: empty");
        if (block_.insts.size() > kMaxBlockInsts) return failure("IR block: too long");
        for (index_ = 0; index_ < block_.insts.size(); ++index_) {
            if (const char *fault = check(block_.insts[index_]); fault != nullptr)
                return failure(fmt::format("IR block: instruction {} ({}): {}", index_,
                                           info(block_.insts[index_].op).name, fault));
        }
        if (guest_instructions_ != block_.guest_instructions)
            return failure("IR block: guest_instructions does not count the Insn markers");
        return {};
    }

private:
    const char *check(const Inst &inst) {
        const OpcodeInfo &row = info(inst.op);
        for (unsigned i = 0; i < 4; ++i) {
            if (i >= row.arg_count) {
                if (inst.args[i] != kNoValue) return "too many arguments";
                continue;
            }
            if (inst.args[i] >= index_) return "argument is not defined before";
            if (info(block_.insts[inst.args[i]].op).result != row.args[i])
                return "argument has the wrong type";
        }
        const bool is_last = index_ + 1 == block_.insts.size();
        if (ends_block(inst.op) != is_last) return "block must end with its only final exit";
        if (inst.op == Opcode::Insn) return check_marker(inst);
        if (inst.op == Opcode::Nop) return nullptr;
        if (guest_instructions_ == 0) return "operation before the first Insn";
        if (is_second(inst.op) &&
            (index_ == 0 || second_of(block_.insts[index_ - 1].op) != inst.op))
            return "does not follow its pair operation";
        if (!has_valid_immediate(inst)) return "the immediate is out of range";
        if ((row.op_class == OpClass::Call || inst.op == Opcode::RaiseIf) &&
            (inst.imm & 0xffff) >= helpers_.size())
            return "no such helper";
        if (row.op_class == OpClass::Memory && (inst.imm & 3) >= kRegimeCount)
            return "no such regime";
        return nullptr;
    }

    const char *check_marker(const Inst &inst) {
        if (insn_index(inst.imm) != guest_instructions_) return "marker out of sequence";
        if (++guest_instructions_ > kMaxBlockInstructions) return "too many guest instructions";
        return nullptr;
    }

    const Block &block_;
    std::span<const Helper> helpers_;
    std::size_t index_ = 0;
    u32 guest_instructions_ = 0;
};

} // namespace

Result<> verify(const Block &block, std::span<const Helper> helpers) {
    return Verifier(block, helpers).run();
}

} // namespace tandem::ir
