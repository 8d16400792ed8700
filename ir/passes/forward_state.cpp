#include "ir/passes/passes.h"
#include "ir/passes/scratch.h"
#include "ir/passes/state_slots.h"

namespace tandem::ir {
namespace {

/// A slot whose content is the value `id`.
struct Known {
    u64 offset;
    u32 size;
    ValueId id;
};

class Forwarder {
public:
    Forwarder(Block &block, std::span<const Helper> helpers) : block_(block), helpers_(helpers) {}

    void run() {
        for (std::size_t i = 0; i < block_.insts.size(); ++i) {
            Inst &inst = block_.insts[i];
            replacement_[i] = static_cast<ValueId>(i);
            for (ValueId &arg : inst.args)
                if (arg != kNoValue) arg = replacement_[arg];
            if (is_state_barrier(inst, helpers_)) known_.clear();
            const StateAccess access = state_access(inst);
            if (!access.exists) continue;
            if (access.is_write)
                write(access, inst.args[0]);
            else
                read(access, static_cast<ValueId>(i));
        }
    }

private:
    void write(const StateAccess &access, ValueId value) {
        known_.remove_if([&](const Known &k) { return access.overlaps(k.offset, k.size); });
        known_.push_back({access.offset, access.size, value});
    }

    void read(const StateAccess &access, ValueId self) {
        for (const Known &known : known_) {
            if (known.offset != access.offset || known.size < access.size) continue;
            if (forward(known, self)) return;
        }
        known_.push_back({access.offset, access.size, self});
    }

    /// Makes the read `self` an alias or a conversion of a known value.
    bool forward(const Known &known, ValueId self) {
        Inst &inst = block_.insts[self];
        const Inst &source = block_.insts[known.id];
        const Type have = info(source.op).result;
        const Type want = info(inst.op).result;
        if (have == want) {
            replacement_[self] = known.id;
            inst = Inst{};
            return true;
        }
        const auto convert = [&](Opcode op, ValueId from) {
            inst = Inst{.op = op, .args = {from, kNoValue, kNoValue, kNoValue}, .imm = 0};
            return true;
        };
        if (have == Type::V128 && want == Type::F64) {
            if (source.op == Opcode::VFromF64) return alias(self, source.args[0]);
            return convert(Opcode::VToF64, known.id);
        }
        if (have == Type::V128 && want == Type::F32) {
            if (source.op == Opcode::VFromF32) return alias(self, source.args[0]);
            return convert(Opcode::VToF32, known.id);
        }
        if (have == Type::V128 && want == Type::F16) {
            if (source.op == Opcode::VFromF16) return alias(self, source.args[0]);
            return convert(Opcode::VToF16, known.id);
        }
        if (have == Type::I64 && want == Type::I32) return convert(Opcode::Low32, known.id);
        return false;
    }

    bool alias(ValueId self, ValueId value) {
        replacement_[self] = value;
        block_.insts[self] = Inst{};
        return true;
    }

    Block &block_;
    std::span<const Helper> helpers_;
    BoundedList<Known> known_;
    PerInst<ValueId> replacement_;
};

} // namespace

void forward_state(Block &block, std::span<const Helper> helpers) {
    Forwarder(block, helpers).run();
}

} // namespace tandem::ir
