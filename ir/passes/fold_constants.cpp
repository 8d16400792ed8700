#include "ir/passes/passes.h"
#include "ir/passes/scratch.h"
#include "ir/semantics/thunk.h"

#include <optional>

namespace tandem::ir {
namespace {

bool is_integer(Type type) {
    return type == Type::I32 || type == Type::I64;
}

class Folder {
public:
    explicit Folder(Block &block) : block_(block) {}

    void run() {
        for (std::size_t i = 0; i < block_.insts.size(); ++i) {
            Inst &inst = block_.insts[i];
            replacement_[i] = static_cast<ValueId>(i);
            for (ValueId &arg : inst.args)
                if (arg != kNoValue) arg = replacement_[arg];
            if (evaluate(inst)) continue;
            if (const std::optional<ValueId> same = identity(inst)) {
                replacement_[i] = *same;
                inst = Inst{};
            }
        }
    }

private:
    [[nodiscard]] std::optional<u64> constant(ValueId id) const {
        if (id == kNoValue) return std::nullopt;
        const Inst &inst = block_.insts[id];
        if (inst.op == Opcode::Const32) return inst.imm & 0xffffffff;
        if (inst.op == Opcode::Const64) return inst.imm;
        return std::nullopt;
    }

    /// Pure integer operations on constants become constants, by their own definition.
    bool evaluate(Inst &inst) const {
        const OpcodeInfo &row = info(inst.op);
        if (row.op_class != OpClass::Pure || !is_integer(row.result) || row.arg_count == 0)
            return false;
        std::array<Vec, 4> args{};
        for (unsigned a = 0; a < row.arg_count; ++a) {
            const auto value = constant(inst.args[a]);
            if (!value) return false;
            args[a].d[0] = *value;
        }
        const semantics::Thunk definition = semantics::thunk(inst.op);
        if (definition == nullptr) return false;
        Vec result;
        u32 fpsr = 0;
        definition(fpsr, &result, &args[0], &args[1], &args[2], &args[3], inst.imm);
        inst = Inst{.op = row.result == Type::I32 ? Opcode::Const32 : Opcode::Const64,
                    .imm = result.d[0]};
        return true;
    }

    /// The argument an operation always equals, if there is one.
    [[nodiscard]] std::optional<ValueId> identity(const Inst &inst) const {
        const auto right = constant(inst.args[1]);
        switch (inst.op) {
        case Opcode::Add64:
        case Opcode::Add32:
        case Opcode::Or64:
        case Opcode::Or32:
        case Opcode::Xor64:
        case Opcode::Xor32:
            if (constant(inst.args[0]) == 0) return inst.args[1];
            [[fallthrough]];
        case Opcode::Sub64:
        case Opcode::Sub32:
        case Opcode::Shl64:
        case Opcode::Shl32:
        case Opcode::Lsr64:
        case Opcode::Lsr32:
        case Opcode::Asr64:
        case Opcode::Asr32:
        case Opcode::AndNot64:
        case Opcode::AndNot32:
            if (right == 0) return inst.args[0];
            return std::nullopt;
        case Opcode::And64:
            if (right == ~u64{0}) return inst.args[0];
            return std::nullopt;
        case Opcode::ZeroExtend8: return already_fits(inst, Opcode::Load8);
        case Opcode::ZeroExtend16: return already_fits(inst, Opcode::Load16);
        case Opcode::Low32:
            if (const Inst &from = block_.insts[inst.args[0]]; from.op == Opcode::ZeroExtend32)
                return from.args[0];
            return std::nullopt;
        default: return std::nullopt;
        }
    }

    /// A load that zero-extends needs no second extension.
    [[nodiscard]] std::optional<ValueId> already_fits(const Inst &inst, Opcode load) const {
        if (block_.insts[inst.args[0]].op == load) return inst.args[0];
        return std::nullopt;
    }

    Block &block_;
    PerInst<ValueId> replacement_;
};

} // namespace

void fold_constants(Block &block) {
    Folder(block).run();
}

} // namespace tandem::ir
