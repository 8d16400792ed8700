#include "jit/regions/region.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tandem::jit {
namespace {

bool is_in_page(i64 offset) {
    return offset >= 0 && offset <= 0xfff;
}

void add_unique(std::vector<u32> &list, i64 offset) {
    if (is_in_page(offset) && std::ranges::find(list, static_cast<u32>(offset)) == list.end())
        list.push_back(static_cast<u32>(offset));
}

/// Whether the block ends in a branch to an address in a register, and which.
std::optional<ir::BranchHint> indirect_end(const ir::Block &block) {
    const ir::Inst &last = block.insts.back();
    if (last.op != ir::Opcode::ExitIndirect) return std::nullopt;
    return static_cast<ir::BranchHint>(last.imm);
}

/// What is reached from `start`, in breadth, as far as the limits allow.
std::vector<ir::Block> reach_from(u32 start, const CodeSource &source, const RegionLimits &limits,
                                  std::span<const u32> warm) {
    std::vector<ir::Block> blocks;
    std::vector<u32> pending{start};
    u32 instructions = 0;
    for (std::size_t next = 0; next < pending.size(); ++next) {
        ir::Block block;
        if (!source.block(pending[next], block)) continue;
        if (blocks.size() == limits.blocks ||
            instructions + block.guest_instructions > limits.instructions)
            break;
        instructions += block.guest_instructions;
        for (const u32 offset : successors(block)) add_unique(pending, offset);
        const auto end = indirect_end(block);
        if (end.has_value() && *end != ir::BranchHint::Return)
            for (const u32 offset : warm) add_unique(pending, offset);
        blocks.push_back(std::move(block));
    }
    if (!blocks.empty() && blocks[0].page_offset != start) blocks.clear();
    return blocks;
}

/// Fills in where indirect branches may lead: jumps to what is warm, calls to that of it which is
/// reached in no other way, returns to after the calls of functions in the region.
void find_indirect_offsets(Region &region, std::span<const u32> warm) {
    std::vector<u32> direct;
    for (const ir::Block &block : region.blocks)
        for (const u32 offset : successors(block)) add_unique(direct, offset);
    region.jump_offsets.clear();
    region.call_offsets.clear();
    region.return_offsets.clear();
    for (const u32 offset : warm) {
        if (region.find(offset) < 0) continue;
        region.jump_offsets.push_back(offset);
        if (std::ranges::find(direct, offset) == direct.end())
            region.call_offsets.push_back(offset);
    }
    for (const ir::Block &block : region.blocks) {
        const ir::Inst &last = block.insts.back();
        const bool stays =
            last.op == ir::Opcode::Exit
                ? region.find(static_cast<i64>(last.imm)) >= 0
                : indirect_end(block) == ir::BranchHint::Call && !region.call_offsets.empty();
        if (!stays) continue;
        for (const ir::Inst &inst : block.insts)
            if (inst.op == ir::Opcode::PushReturn && region.find(static_cast<i64>(inst.imm)) >= 0)
                add_unique(region.return_offsets, static_cast<i64>(inst.imm));
    }
}

/// Indices of the blocks where each block may go on within the region.
std::vector<std::vector<u32>> edges_of(const Region &region) {
    std::vector<std::vector<u32>> edges;
    for (const ir::Block &block : region.blocks) edges.push_back(region.edges(block));
    return edges;
}

/// The blocks that are reached from block `start` along edges, itself only if by one.
std::vector<bool> reached(u32 start, const std::vector<std::vector<u32>> &edges) {
    std::vector<bool> seen(edges.size());
    std::vector<u32> pending{start};
    while (!pending.empty()) {
        const u32 from = pending.back();
        pending.pop_back();
        for (const u32 to : edges[from]) {
            if (seen[to]) continue;
            seen[to] = true;
            pending.push_back(to);
        }
    }
    return seen;
}

/// Keeps the blocks that are in a cycle with the first one.
void keep_cycle(Region &region) {
    const std::vector<std::vector<u32>> edges = edges_of(region);
    const std::vector<bool> from_first = reached(0, edges);
    std::vector<ir::Block> kept;
    for (u32 i = 0; i < edges.size(); ++i)
        if (from_first[i] && reached(i, edges)[0]) kept.push_back(std::move(region.blocks[i]));
    region.blocks = std::move(kept);
}

/// Page offsets of the blocks in a cycle with the first one to which a branch goes back, lowest
/// first: compilers put a loop's header there.
std::vector<u32> loop_headers(const Region &region) {
    const std::vector<std::vector<u32>> edges = edges_of(region);
    const std::vector<bool> from_first = reached(0, edges);
    std::vector<u32> headers;
    for (u32 i = 0; i < edges.size(); ++i) {
        if (!from_first[i] || !reached(i, edges)[0]) continue;
        for (const u32 to : edges[i])
            if (region.blocks[to].page_offset <= region.blocks[i].page_offset &&
                reached(to, edges)[0])
                add_unique(headers, region.blocks[to].page_offset);
    }
    std::ranges::sort(headers);
    return headers;
}

/// The targets of edges that close a cycle, in a walk in depth from the first block.
void find_entries(Region &region, const RegionLimits &limits) {
    enum class State : u8 { New, Open, Closed };
    const std::vector<std::vector<u32>> edges = edges_of(region);
    std::vector<State> states(edges.size(), State::New);
    std::vector<std::pair<u32, std::size_t>> path{{0, 0}};
    states[0] = State::Open;
    region.entries = {0};
    while (!path.empty()) {
        auto &[block, next] = path.back();
        if (next == edges[block].size()) {
            states[block] = State::Closed;
            path.pop_back();
            continue;
        }
        const u32 to = edges[block][next++];
        if (states[to] == State::Open && region.entries.size() < limits.entries &&
            std::ranges::find(region.entries, to) == region.entries.end())
            region.entries.push_back(to);
        if (states[to] != State::New) continue;
        states[to] = State::Open;
        path.emplace_back(to, 0);
    }
}

/// What is known only once all blocks are.
void complete(Region &region, const RegionLimits &limits) {
    find_entries(region, limits);
    region.first_byte = 0xfff;
    for (const ir::Block &block : region.blocks) {
        region.guest_instructions += block.guest_instructions;
        region.first_byte = std::min(region.first_byte, block.page_offset);
        region.end_byte = std::max(region.end_byte, block.page_offset + block.guest_bytes);
        for (const ir::Inst &inst : block.insts) {
            const auto target = static_cast<i64>(inst.imm);
            if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit) {
                if (region.find(target) < 0) add_unique(region.exit_targets, target);
            }
        }
    }
}

} // namespace

std::span<const u32> Region::indirect_offsets(ir::BranchHint hint) const {
    switch (hint) {
    case ir::BranchHint::None: return jump_offsets;
    case ir::BranchHint::Call: return call_offsets;
    case ir::BranchHint::Return: return return_offsets;
    }
    __builtin_unreachable();
}

std::vector<u32> Region::edges(const ir::Block &block) const {
    std::vector<u32> result;
    const auto add = [&](i64 offset) {
        if (const int to = find(offset); to >= 0) result.push_back(static_cast<u32>(to));
    };
    for (const ir::Inst &inst : block.insts)
        if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit)
            add(static_cast<i64>(inst.imm));
    if (const auto end = indirect_end(block))
        for (const u32 offset : indirect_offsets(*end)) add(offset);
    return result;
}

int Region::find(i64 page_offset) const {
    for (std::size_t i = 0; i < blocks.size(); ++i)
        if (i64{blocks[i].page_offset} == page_offset) return static_cast<int>(i);
    return -1;
}

int Region::find_exit(i64 page_offset) const {
    for (std::size_t i = 0; i < exit_targets.size(); ++i)
        if (i64{exit_targets[i]} == page_offset) return static_cast<int>(i);
    return -1;
}

RegionOutline outline_of(const Region &region) {
    RegionOutline outline{.mode = region.mode,
                          .exit_targets = region.exit_targets,
                          .guest_instructions = region.guest_instructions,
                          .first_byte = region.first_byte,
                          .end_byte = region.end_byte};
    for (const ir::Block &block : region.blocks)
        outline.extents.push_back({block.page_offset, block.guest_bytes});
    for (const u32 entry : region.entries)
        outline.entries.push_back(region.blocks[entry].page_offset);
    return outline;
}

std::vector<u32> successors(const ir::Block &block) {
    std::vector<u32> result;
    const ir::Inst &last = block.insts.back();
    const bool stays = last.op == ir::Opcode::Exit ? is_in_page(static_cast<i64>(last.imm))
                                                   : indirect_end(block) == ir::BranchHint::Call;
    for (const ir::Inst &inst : block.insts)
        if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit ||
            (inst.op == ir::Opcode::PushReturn && stays))
            add_unique(result, static_cast<i64>(inst.imm));
    return result;
}

Region form_loop(u32 offset, u32 mode, const CodeSource &source, const RegionLimits &limits) {
    std::vector<u32> warm = source.warm();
    warm.resize(std::min<std::size_t>(warm.size(), limits.indirect_targets));
    const auto reach = [&](u32 start) {
        Region region;
        region.mode = mode;
        region.blocks = reach_from(start, source, limits, warm);
        find_indirect_offsets(region, warm);
        return region;
    };
    const Region around = reach(offset);
    if (around.blocks.empty()) return {};
    for (const u32 header : loop_headers(around)) {
        Region region = reach(header);
        if (region.blocks.empty()) continue;
        keep_cycle(region);
        if (region.find(offset) < 0) continue;
        find_indirect_offsets(region, warm);
        complete(region, limits);
        return region;
    }
    return {};
}

Region form_trace(u32 offset, u32 mode, const CodeSource &source, const RegionLimits &limits) {
    Region region;
    region.mode = mode;
    region.blocks = reach_from(offset, source, limits, {});
    find_indirect_offsets(region, {});
    if (!region.blocks.empty()) complete(region, limits);
    return region;
}

} // namespace tandem::jit
