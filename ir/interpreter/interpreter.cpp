#include "ir/interpreter/interpreter.h"

#include "ir/interpreter/op.h"
#include "support/check.h"

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;
using Frame = Predecoded::Frame;

/// Operations without a handler of their own call their definition.
const Op *call_thunk(Frame &f, const Op *op) {
    op->thunk(f.ctx.fpsr, &f.slots[op->dst], &f.slots[op->args[0]], &f.slots[op->args[1]],
              &f.slots[op->args[2]], &f.slots[op->args[3]], op->imm);
    return op + 1;
}

} // namespace

Predecoded::Predecoded(const Block &block, std::span<const Helper> helpers)
    : slot_count_(static_cast<u32>(block.insts.size())),
      guest_instructions_(block.guest_instructions) {
    ops_ = std::make_unique<Op[]>(block.insts.size());
    for (std::size_t i = 0; i < block.insts.size(); ++i) {
        const Inst &inst = block.insts[i];
        if (inst.op == Opcode::Nop || inst.op == Opcode::PushReturn) continue;
        Op &op = ops_[op_count_++];
        op.dst = static_cast<u16>(i);
        // Absent arguments read some slot and ignore it.
        for (unsigned a = 0; a < 4; ++a)
            op.args[a] = inst.args[a] == kNoValue ? u16{0} : inst.args[a];
        op.imm = inst.imm;
        op.handler = integer_handler(inst.op);
        if (op.handler == nullptr) op.handler = memory_handler(inst.op);
        if (op.handler == nullptr) op.handler = control_handler(inst.op);
        if (op.handler == nullptr) {
            op.handler = call_thunk;
            op.thunk = semantics::thunk(inst.op);
            CHECK(op.thunk != nullptr);
        } else if (info(inst.op).op_class == OpClass::Call || inst.op == Opcode::RaiseIf) {
            const u64 id = inst.imm & 0xffff;
            CHECK(id < helpers.size());
            op.helper = helpers[id].function;
        }
    }
}

Predecoded::~Predecoded() = default;

std::size_t Predecoded::byte_size() const {
    return sizeof *this + slot_count_ * sizeof(Op);
}

u32 Predecoded::run(ExecContext &ctx) const {
    // Raw memory, because a Vec would be cleared: every slot is written before it is read.
    alignas(Vec) u64 slots[(kMaxBlockInsts + 1) * 2];
    Frame frame{ctx, reinterpret_cast<Vec *>(slots)};
    for (const Op *op = ops_.get(); op != nullptr;) op = op->handler(frame, op);
    return frame.retired;
}

} // namespace tandem::ir
