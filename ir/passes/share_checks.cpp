#include "ir/memory_op.h"
#include "ir/passes/passes.h"
#include "ir/plain_access.h"

#include <algorithm>

namespace tandem::ir {
namespace {

/// All bytes a look covers lie within this, so that they are seldom on two pages (the look then
/// fails for all of them).
constexpr i64 kMaxSpan = 128;
/// A host register holds what a look found: not for ever.
constexpr std::size_t kMaxDistance = 24;

/// Accesses from one base, found so far (the walk is backwards).
struct Group {
    ValueId base = kNoValue;
    Regime regime = Regime::User;
    bool is_write = false;
    i64 low = 0, high = 0; ///< bytes from the base
    std::size_t first = 0, last = 0;
};

/// Writes down what the group has found, if it is worth it, and empties it.
void close(Block &block, Group &group) {
    if (group.base != kNoValue && group.first != group.last) {
        Inst &leader = block.insts[group.first];
        const AccessAddress address = address_of(block, leader.args[0]);
        MemoryOp op = MemoryOp::unpack(leader.imm);
        op.leads_check = true;
        op.check_before = static_cast<u8>(address.offset - group.low);
        op.check_after =
            static_cast<u8>(group.high - address.offset - plain_access(leader.op).size());
        leader.imm = op.pack();
        Inst &last = block.insts[group.last];
        op = MemoryOp::unpack(last.imm);
        op.ends_check = true;
        last.imm = op.pack();
    }
    group = Group{};
}

} // namespace

void Optimiser::share_checks(Block &block) {
    std::array<Group, 4> groups;
    const auto close_all = [&] {
        for (Group &group : groups) close(block, group);
    };
    for (std::size_t i = block.insts.size(); i-- > 0;) {
        const Inst &inst = block.insts[i];
        switch (op_class(inst.op)) {
        case OpClass::Memory: break;
        // A helper may change the guest's mapping.
        case OpClass::Call: close_all(); continue;
        default: continue;
        }
        const PlainAccess access = plain_access(inst.op);
        const MemoryOp op = MemoryOp::unpack(inst.imm);
        if (!access || op.alignment != Alignment::Any) continue;
        const AccessAddress address = address_of(block, inst.args[0]);
        const i64 end = address.offset + access.size();
        Group *group = std::ranges::find_if(groups, [&](const Group &g) {
            return g.base == address.base && g.regime == op.regime &&
                   g.is_write == access.is_write && g.first - i <= kMaxDistance &&
                   std::max(g.high, end) - std::min(g.low, address.offset) <= kMaxSpan;
        });
        if (group == groups.end()) {
            group = std::ranges::max_element(groups, {}, [](const Group &g) {
                // An empty one, else the one whose accesses are farthest.
                return g.base == kNoValue ? ~std::size_t{0} : g.first;
            });
            close(block, *group);
            *group = {address.base, op.regime, access.is_write, address.offset, end, i, i};
            continue;
        }
        group->low = std::min(group->low, address.offset);
        group->high = std::max(group->high, end);
        group->first = i;
    }
    close_all();
}

} // namespace tandem::ir
