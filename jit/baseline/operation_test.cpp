// Every PURE and FP operation: T1 against the definition, bits and FPSR flags.
#include "ir/interpreter/interpreter.h"
#include "ir/text/text.h"
#include "jit/baseline/test_support.h"

#include <gtest/gtest.h>

namespace tandem::jit::test {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::Opcode;
using ir::Type;
using ir::ValueId;

Opcode get_opcode(Type type) {
    switch (type) {
    case Type::I32: return Opcode::GetState32;
    case Type::F16: return Opcode::GetStateF16;
    case Type::F32: return Opcode::GetStateF32;
    case Type::F64: return Opcode::GetStateF64;
    case Type::V128: return Opcode::GetStateV128;
    case Type::Flags: return Opcode::GetFlags;
    default: return Opcode::GetState64;
    }
}

class BlockWriter {
public:
    ValueId add(Opcode op, std::initializer_list<ValueId> args = {}, u64 imm = 0) {
        Inst inst{.op = op, .imm = imm};
        std::copy(args.begin(), args.end(), inst.args.begin());
        block.insts.push_back(inst);
        return static_cast<ValueId>(block.insts.size() - 1);
    }
    /// Stores a value of any type in register `n` of its kind.
    void store(ValueId value, Type type, unsigned n) {
        switch (type) {
        case Type::I1: add(Opcode::SetState64, {add(Opcode::ZeroExtend1, {value})}, n * 8); break;
        case Type::I32: add(Opcode::SetState64, {add(Opcode::ZeroExtend32, {value})}, n * 8); break;
        case Type::I64: add(Opcode::SetState64, {value}, n * 8); break;
        case Type::Flags: add(Opcode::SetFlags, {value}, offsetof(ir::ExecContext, flags)); break;
        case Type::F16:
            add(Opcode::SetStateV128, {add(Opcode::VFromF16, {value})}, State::v_offset(n));
            break;
        case Type::F32:
            add(Opcode::SetStateV128, {add(Opcode::VFromF32, {value})}, State::v_offset(n));
            break;
        case Type::F64:
            add(Opcode::SetStateV128, {add(Opcode::VFromF64, {value})}, State::v_offset(n));
            break;
        case Type::V128: add(Opcode::SetStateV128, {value}, State::v_offset(n)); break;
        case Type::Void: break;
        }
    }
    Block block;
};

/// Arguments come from state, or are constants when `constant_mask` says so.
Block block_of(Opcode op, u64 imm, unsigned constant_mask, unsigned result, Random &random) {
    const ir::OpcodeInfo &row = ir::info(op);
    BlockWriter w;
    w.block.guest_instructions = 1;
    w.add(Opcode::Insn, {}, ir::insn_imm(0x40, 0));
    std::array<ValueId, 4> args{kNoValue, kNoValue, kNoValue, kNoValue};
    for (unsigned a = 0; a < row.arg_count; ++a) {
        const Type type = row.args[a];
        const bool is_constant = (constant_mask >> a & 1) != 0;
        const unsigned n = (result + a) % 32; // sometimes the result's own register
        if (type == Type::I1) {
            const ValueId x = w.add(Opcode::GetState64, {}, n * 8);
            args[a] = w.add(Opcode::TestBit64, {x}, 0);
        } else if (type == Type::I64 && is_constant) {
            args[a] = w.add(Opcode::Const64, {}, random_value(random));
        } else if (type == Type::I32 && is_constant) {
            args[a] = w.add(Opcode::Const32, {}, static_cast<u32>(random_value(random)));
        } else if (type == Type::Flags) {
            args[a] = w.add(Opcode::GetFlags, {}, offsetof(ir::ExecContext, flags));
        } else if (type == Type::I32 || type == Type::I64) {
            args[a] = w.add(get_opcode(type), {}, n * 8);
        } else {
            args[a] = w.add(get_opcode(type), {}, State::v_offset(n));
        }
    }
    w.block.insts.push_back({op, args, imm});
    const auto value = static_cast<ValueId>(w.block.insts.size() - 1);
    w.store(value, row.result, result);
    w.add(Opcode::Exit, {}, 0x44);
    return w.block;
}

class Operation : public testing::TestWithParam<unsigned> {};

TEST_P(Operation, EqualsItsDefinition) {
    Random random(12345);
    Jit jit(HostFeatures::detect_up_to(GetParam()));
    unsigned failures = 0;
    for (unsigned i = 0; i < ir::kOpcodeCount; ++i) {
        const auto op = static_cast<Opcode>(i);
        const ir::OpClass op_class = ir::info(op).op_class;
        if (op_class != ir::OpClass::Pure && op_class != ir::OpClass::Fp) continue;
        if (ir::info(op).name.starts_with("Second")) continue;
        const bool is_fp = op_class == ir::OpClass::Fp;
        bool has_failed = false;
        for (unsigned variant = 0; variant < (is_fp ? 30u : 16u) && !has_failed; ++variant) {
            const u64 imm = random_immediate(op, random);
            const auto result = static_cast<unsigned>(random() % 8);
            const Block block = block_of(op, imm, variant < 4 ? variant : 0, result, random);
            const ir::Predecoded reference(block, helpers());
            ASSERT_EQ(jit.compile(block), CompileResult::Done);
            for (unsigned run = 0; run < 40; ++run) {
                State initial;
                randomise(initial, random);
                initial.mxcsr |= (imm & 3) == 1   ? 0x4000u
                                 : (imm & 3) == 2 ? 0x2000u
                                 : (imm & 3) == 3 ? 0x6000u
                                                  : 0u;
                if (!is_fp) initial.mxcsr = 0x1f80;
                State expected, actual;
                expected.copy_from(initial);
                actual.copy_from(initial);
                expected.budget -= reference.run(expected);
                EXPECT_EQ(jit.run(actual).owner, 0x1122334455667788u);
                expected.pc = actual.pc = initial.pc_page + 0x44;
                const std::string difference = compare(expected, actual);
                if (difference.empty()) continue;
                has_failed = true;
                if (++failures > 30) break;
                std::string operands;
                for (unsigned a = 0; a < 3; ++a) {
                    const unsigned n = (result + a) % 32;
                    operands +=
                        testing::PrintToString(n) + ": x " + std::to_string(initial.gpr[n]) +
                        " v " + [&] {
                            char text[64];
                            std::snprintf(text, sizeof text, "%016llx %016llx\n",
                                          static_cast<unsigned long long>(initial.v[n].d[1]),
                                          static_cast<unsigned long long>(initial.v[n].d[0]));
                            return std::string(text);
                        }();
                }
                ADD_FAILURE() << difference << operands << ir::print(block);
                break;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Levels, Operation, testing::ValuesIn(levels()));

} // namespace
} // namespace tandem::jit::test
