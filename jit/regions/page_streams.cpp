#include "jit/regions/page_streams.h"

#include "ir/memory_op.h"
#include "ir/passes/state_slots.h"
#include "ir/plain_access.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace tandem::jit {
namespace {

using ir::Block;
using ir::Inst;
using ir::Opcode;
using ir::ValueId;

/// How far to look into an address. What is deeper is no step of a loop.
constexpr unsigned kMaxDepth = 6;
/// What is added to an address may vary by as many bytes: seldom across a page's end.
constexpr u64 kMaxIndex = 2048;
/// Larger steps change the page so often that the host predicts it badly.
constexpr i64 kMaxStep = 128;
/// Accesses by one register that are farther apart have streams of their own.
constexpr unsigned kOffsetBucketBits = 11;

struct Loop {
    std::vector<bool> body;
    u32 size = 0; ///< in guest instructions
};

/// The natural loops, the smallest first.
std::vector<Loop> find_loops(const Region &region, const std::vector<std::vector<u32>> &edges,
                             std::span<const u32> order) {
    std::vector<u32> position(edges.size(), ~u32{0});
    for (u32 i = 0; i < order.size(); ++i) position[order[i]] = i;
    std::vector<std::vector<u32>> predecessors(edges.size());
    for (const u32 from : order)
        for (const u32 to : edges[from]) predecessors[to].push_back(from);
    std::map<u32, Loop> by_header;
    for (const u32 tail : order)
        for (const u32 header : edges[tail]) {
            if (position[header] > position[tail]) continue;
            Loop &loop = by_header[header];
            loop.body.resize(edges.size());
            loop.body[header] = true;
            std::vector<u32> pending{tail};
            while (!pending.empty()) {
                const u32 at = pending.back();
                pending.pop_back();
                if (loop.body[at]) continue;
                loop.body[at] = true;
                pending.insert(pending.end(), predecessors[at].begin(), predecessors[at].end());
            }
        }
    std::vector<Loop> loops;
    for (auto &[header, loop] : by_header) {
        for (u32 i = 0; i < edges.size(); ++i)
            if (loop.body[i]) loop.size += region.blocks[i].guest_instructions;
        loops.push_back(std::move(loop));
    }
    std::ranges::sort(loops, {}, &Loop::size);
    return loops;
}

/// What a loop does to guest registers.
class Movement {
public:
    Movement(const Region &region, const Loop &loop) {
        for (bool has_changed = true; has_changed;) {
            has_changed = false;
            for (u32 i = 0; i < loop.body.size(); ++i) {
                if (!loop.body[i]) continue;
                const Block &block = region.blocks[i];
                for (const Inst &inst : block.insts) {
                    const ir::StateAccess access = ir::state_access(inst);
                    if (!access.is_write || jumps_.contains(access.offset)) continue;
                    if (inst.op == Opcode::SetState64 &&
                        is_step(block, access.offset, inst.args[0], kMaxDepth))
                        continue;
                    jumps_.insert(access.offset);
                    has_changed = true;
                }
            }
        }
    }

    /// An address that moves in steps; the registers in it are added to `roots`.
    bool is_steady(const Block &block, ValueId id, std::vector<u64> &roots,
                   unsigned depth = kMaxDepth) const {
        if (depth == 0) return false;
        const Inst &inst = block.insts[id];
        const auto argument = [&](unsigned i) {
            return is_steady(block, inst.args[i], roots, depth - 1);
        };
        if (most(block, id, depth) < kMaxIndex) return true;
        switch (inst.op) {
        case Opcode::GetState64: roots.push_back(inst.imm); return !jumps_.contains(inst.imm);
        case Opcode::Const32:
        case Opcode::Const64:
        case Opcode::PcRelative: return true;
        case Opcode::Add32:
        case Opcode::Add64:
        case Opcode::Sub32:
        case Opcode::Sub64: return argument(0) && argument(1);
        case Opcode::Shl32:
        case Opcode::Shl64: return is_constant(block, inst.args[1]) && argument(0);
        case Opcode::Low32:
        case Opcode::ZeroExtend32:
        case Opcode::SignExtend32: return argument(0);
        default: return false;
        }
    }

private:
    static bool is_constant(const Block &block, ValueId id) {
        const Opcode op = block.insts[id].op;
        return op == Opcode::Const32 || op == Opcode::Const64;
    }

    /// A register's new value: its old one and a step, or that of another one that moves in steps,
    /// at any distance: what is set back again and again stays where it is.
    bool is_step(const Block &block, u64 offset, ValueId id, unsigned depth,
                 i64 distance = 0) const {
        if (depth == 0) return false;
        const Inst &inst = block.insts[id];
        const auto with = [&](unsigned argument, i64 added) {
            return is_step(block, offset, inst.args[argument], depth - 1, distance + added);
        };
        const auto constant = [&](unsigned argument) {
            const Inst &value = block.insts[inst.args[argument]];
            return value.op == Opcode::Const32 ? i64{static_cast<i32>(value.imm)}
                                               : static_cast<i64>(value.imm);
        };
        switch (inst.op) {
        case Opcode::GetState64:
            return !jumps_.contains(inst.imm) &&
                   (inst.imm != offset || (distance <= kMaxStep && distance >= -kMaxStep));
        case Opcode::Const32:
        case Opcode::Const64:
        case Opcode::PcRelative: return true;
        case Opcode::Low32:
        case Opcode::ZeroExtend32:
        case Opcode::SignExtend32: return with(0, 0);
        case Opcode::Add32:
        case Opcode::Add64:
            if (is_constant(block, inst.args[1])) return with(0, constant(1));
            return is_constant(block, inst.args[0]) && with(1, constant(0));
        case Opcode::Sub32:
        case Opcode::Sub64: return is_constant(block, inst.args[1]) && with(0, -constant(1));
        default: return false;
        }
    }

    /// The largest value that an index can have, as far as its operation says.
    static u64 most(const Block &block, ValueId id, unsigned depth) {
        constexpr u64 kUnknown = ~u64{0};
        if (depth == 0) return kUnknown;
        const Inst &inst = block.insts[id];
        switch (inst.op) {
        case Opcode::Load8:
        case Opcode::ZeroExtend8: return 0xff;
        case Opcode::BitfieldExtract32:
        case Opcode::BitfieldExtract64: {
            const auto width = static_cast<unsigned>(bits(inst.imm, 15, 8));
            return width < 16 ? ones(width) : kUnknown;
        }
        case Opcode::And32:
        case Opcode::And64:
            return is_constant(block, inst.args[1]) ? block.insts[inst.args[1]].imm : kUnknown;
        case Opcode::Shl32:
        case Opcode::Shl64: {
            if (!is_constant(block, inst.args[1])) return kUnknown;
            const u64 amount = block.insts[inst.args[1]].imm;
            const u64 value = most(block, inst.args[0], depth - 1);
            return amount < 16 && value < kMaxIndex ? value << amount : kUnknown;
        }
        case Opcode::Low32:
        case Opcode::ZeroExtend32: return most(block, inst.args[0], depth - 1);
        default: return kUnknown;
        }
    }

    std::set<u64> jumps_; ///< offsets in the state of registers that move otherwise
};

} // namespace

PageStreams find_page_streams(const Region &region, const std::vector<std::vector<u32>> &edges,
                              std::span<const u32> order, const std::vector<bool> &has_barrier) {
    using Key = std::tuple<std::vector<u64>, i64, ir::Regime, bool>;
    PageStreams streams;
    std::vector<bool> seen(edges.size());
    for (const Loop &loop : find_loops(region, edges, order)) {
        bool is_clear = true;
        for (u32 i = 0; i < edges.size(); ++i)
            if (loop.body[i] && has_barrier[i]) is_clear = false;
        if (!is_clear) continue;
        const Movement movement(region, loop);
        std::map<Key, u32> known;
        for (u32 i = 0; i < edges.size(); ++i) {
            if (!loop.body[i] || seen[i]) continue;
            seen[i] = true;
            const Block &block = region.blocks[i];
            for (std::size_t at = 0; at < block.insts.size(); ++at) {
                const Inst &inst = block.insts[at];
                const ir::PlainAccess access = ir::plain_access(inst.op);
                const ir::MemoryOp op = ir::MemoryOp::unpack(inst.imm);
                if (!access || op.alignment != ir::Alignment::Any) continue;
                const ir::AccessAddress address = ir::address_of(block, inst.args[0]);
                std::vector<u64> roots;
                if (!movement.is_steady(block, address.base, roots)) continue;
                const Key key{std::move(roots), address.offset >> kOffsetBucketBits, op.regime,
                              access.is_write};
                const auto found = known.find(key);
                if (found == known.end() && streams.count == PageStreams::kMaxStreams) continue;
                const u32 stream = found != known.end() ? found->second : streams.count++;
                known.emplace(key, stream);
                streams.span[stream] = std::max(streams.span[stream],
                                                access.size() + op.check_before + op.check_after);
                streams.of_access.emplace(std::pair{i, static_cast<ValueId>(at)}, stream);
            }
        }
    }
    return streams;
}

} // namespace tandem::jit
