#include "jit/regions/register_pairs.h"

#include "ir/passes/state_slots.h"

#include <map>

namespace tandem::jit {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::Opcode;
using ir::ValueId;

constexpr u64 kRegisterBytes = 8;

class PairFinder {
public:
    void visit(const Block &block) {
        for (std::size_t i = 0; i < block.insts.size(); ++i) {
            const Inst &inst = block.insts[i];
            if (inst.op == Opcode::SetState64)
                written(block, inst);
            else if (ir::state_access(inst).exists && inst.op != Opcode::GetState64)
                others_.insert(inst.imm);
            const bool is_store = inst.op == Opcode::StorePair64;
            const bool is_pair = is_store && stores_pair(block, inst);
            for (unsigned n = 0; n < ir::arg_count(inst.op); ++n) {
                const Inst &value = block.insts[inst.args[n]];
                if (value.op == Opcode::GetState64 && !(is_pair && n > 0))
                    others_.insert(value.imm);
            }
        }
    }

    [[nodiscard]] std::set<u64> pairs() const {
        std::set<u64> result;
        for (const u64 first : firsts_) {
            const u64 second = first + kRegisterBytes;
            if (!others_.contains(first) && !others_.contains(second) &&
                !seconds_.contains(first) && !firsts_.contains(second))
                result.insert(first);
        }
        return result;
    }

private:
    static bool stores_pair(const Block &block, const Inst &store) {
        const Inst &first = block.insts[store.args[1]];
        const Inst &second = block.insts[store.args[2]];
        return first.op == Opcode::GetState64 && second.op == Opcode::GetState64 &&
               second.imm == first.imm + kRegisterBytes;
    }

    void written(const Block &block, const Inst &write) {
        const ValueId id = write.args[0];
        const Inst &value = block.insts[id];
        if (value.op == Opcode::LoadPair64) {
            firsts_.insert(write.imm);
            halves_[{&block, id}] = write.imm;
        } else if (value.op == Opcode::Second && block.insts[id - 1].op == Opcode::LoadPair64) {
            seconds_.insert(write.imm);
            const auto first = halves_.find({&block, static_cast<ValueId>(id - 1)});
            if (first == halves_.end() || first->second + kRegisterBytes != write.imm) {
                others_.insert(write.imm);
                if (first != halves_.end()) others_.insert(first->second);
            }
        } else {
            others_.insert(write.imm);
        }
    }

    std::map<std::pair<const Block *, ValueId>, u64> halves_; ///< where LDP's first value went
    std::set<u64> firsts_, seconds_;                          ///< written by LDP
    std::set<u64> others_;                                    ///< used otherwise, or not as a pair
};

} // namespace

std::set<u64> find_register_pairs(const Region &region) {
    PairFinder finder;
    for (const Block &block : region.blocks) finder.visit(block);
    return finder.pairs();
}

} // namespace tandem::jit
