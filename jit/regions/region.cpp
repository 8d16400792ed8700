#include "jit/regions/region.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tandem::jit {
namespace {

bool is_in_page(i64 place) {
    return page_of(place) == 0;
}

template <typename T>
bool contains(const std::vector<T> &list, T value) {
    return std::ranges::find(list, value) != list.end();
}
template <typename T>
void add_unique(std::vector<T> &list, T value) {
    if (!contains(list, value)) list.push_back(value);
}

/// Whether the block ends in a branch to an address in a register, and which.
std::optional<ir::BranchHint> indirect_end(const ir::Block &block) {
    const ir::Inst &last = block.insts.back();
    if (last.op != ir::Opcode::ExitIndirect) return std::nullopt;
    return static_cast<ir::BranchHint>(last.imm);
}

std::vector<i64> warm_places(const CodeSource &source, const RegionLimits &limits) {
    const std::vector<u32> warm = source.warm();
    return {warm.begin(),
            warm.begin() + std::min<std::ptrdiff_t>(std::ssize(warm), limits.indirect_targets)};
}

/// What is reached from `start`, in breadth, as far as the limits allow. `warm` are places.
std::vector<RegionBlock> reach_from(i64 start, const CodeSource &source, const RegionLimits &limits,
                                    std::span<const i64> warm) {
    std::vector<RegionBlock> blocks;
    std::vector<i64> pending{start}, pages{page_of(start)};
    u32 instructions = 0;
    for (std::size_t next = 0; next < pending.size(); ++next) {
        const i64 place = pending[next];
        const i64 page = page_of(place);
        if (!contains(pages, page) && pages.size() == limits.pages) continue;
        RegionBlock block;
        if (!source.block(place, block)) continue;
        block.page = page;
        if (blocks.size() == limits.blocks ||
            instructions + block.guest_instructions > limits.instructions)
            break;
        instructions += block.guest_instructions;
        add_unique(pages, page);
        for (const i64 to : successors(block)) add_unique(pending, to);
        if (indirect_end(block) == ir::BranchHint::None)
            for (const i64 to : warm) add_unique(pending, to);
        blocks.push_back(std::move(block));
    }
    if (!blocks.empty() && blocks[0].place() != start) blocks.clear();
    return blocks;
}

/// Fills in where indirect branches may lead: jumps to what is warm, returns to after the calls of
/// functions in the region.
void find_indirect_targets(Region &region, std::span<const i64> warm) {
    region.jump_targets.clear();
    region.return_targets.clear();
    for (const i64 place : warm)
        if (region.find(place) >= 0) region.jump_targets.push_back(place);
    for (const RegionBlock &block : region.blocks) {
        const ir::Inst &last = block.insts.back();
        if (last.op != ir::Opcode::Exit || region.find(block.target(last.imm)) < 0) continue;
        for (const ir::Inst &inst : block.insts)
            if (inst.op == ir::Opcode::PushReturn && region.find(block.target(inst.imm)) >= 0)
                add_unique(region.return_targets, block.target(inst.imm));
    }
}

/// All that is reached from `start`, loop or not.
Region reach_region(i64 start, u32 mode, const CodeSource &source, const RegionLimits &limits,
                    std::span<const i64> warm) {
    Region region;
    region.mode = mode;
    region.blocks = reach_from(start, source, limits, warm);
    find_indirect_targets(region, warm);
    return region;
}

/// Indices of the blocks where each block may go on within the region.
std::vector<std::vector<u32>> edges_of(const Region &region) {
    std::vector<std::vector<u32>> edges;
    for (const RegionBlock &block : region.blocks) edges.push_back(region.edges(block));
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
    std::vector<RegionBlock> kept;
    for (u32 i = 0; i < edges.size(); ++i)
        if (from_first[i] && reached(i, edges)[0]) kept.push_back(std::move(region.blocks[i]));
    region.blocks = std::move(kept);
}

/// Places of the blocks in a cycle with the first one, on its page, to which a branch goes back,
/// lowest first: compilers put a loop's header there.
std::vector<i64> loop_headers(const Region &region) {
    const std::vector<std::vector<u32>> edges = edges_of(region);
    const std::vector<bool> from_first = reached(0, edges);
    std::vector<i64> headers;
    for (u32 i = 0; i < edges.size(); ++i) {
        if (!from_first[i] || !reached(i, edges)[0]) continue;
        for (const u32 to : edges[i])
            if (region.blocks[to].place() <= region.blocks[i].place() &&
                is_in_page(region.blocks[to].place()) && reached(to, edges)[0])
                add_unique(headers, region.blocks[to].place());
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
            is_in_page(region.blocks[to].place()))
            add_unique(region.entries, to);
        if (states[to] != State::New) continue;
        states[to] = State::Open;
        path.emplace_back(to, 0);
    }
}

/// The blocks on pages that need not be mapped as the region's page is, where control comes from
/// another page.
void find_crossings(Region &region, const CodeSource &source) {
    for (const RegionBlock &block : region.blocks)
        for (const u32 index : region.edges(block)) {
            const RegionBlock &to = region.blocks[index];
            if (to.page != block.page && !source.is_within_reach(to.page))
                add_unique(region.crossings, to.place());
        }
}

/// What is known only once all blocks are.
void complete(Region &region, const CodeSource &source, const RegionLimits &limits) {
    find_entries(region, limits);
    find_crossings(region, source);
    for (const RegionBlock &block : region.blocks) {
        region.guest_instructions += block.guest_instructions;
        auto range = std::ranges::find(region.ranges, block.page, &CodeRange::page);
        if (range == region.ranges.end())
            range = region.ranges.insert(range, CodeRange{.page = block.page});
        range->first_byte = std::min(range->first_byte, block.page_offset);
        range->end_byte = std::max(range->end_byte, block.page_offset + block.guest_bytes);
        for (const ir::Inst &inst : block.insts) {
            if (inst.op != ir::Opcode::ExitIf && inst.op != ir::Opcode::Exit) continue;
            if (const i64 to = block.target(inst.imm); is_in_page(to) && region.find(to) < 0)
                add_unique(region.exit_targets, static_cast<u32>(to));
        }
    }
}

} // namespace

int Region::find(i64 place) const {
    const auto found = std::ranges::find(blocks, place, &RegionBlock::place);
    return found == blocks.end() ? -1 : static_cast<int>(found - blocks.begin());
}

int Region::find_exit(i64 place) const {
    const auto found = std::ranges::find(exit_targets, place);
    return found == exit_targets.end() ? -1 : static_cast<int>(found - exit_targets.begin());
}

int Region::find_crossing(i64 place) const {
    const auto found = std::ranges::find(crossings, place);
    return found == crossings.end() ? -1 : static_cast<int>(found - crossings.begin());
}

std::span<const i64> Region::indirect_targets(ir::BranchHint hint) const {
    switch (hint) {
    case ir::BranchHint::None: return jump_targets;
    case ir::BranchHint::Call: return {};
    case ir::BranchHint::Return: return return_targets;
    }
    __builtin_unreachable();
}

std::vector<u32> Region::edges(const RegionBlock &block) const {
    std::vector<u32> result;
    const auto add = [&](i64 place) {
        if (const int to = find(place); to >= 0) result.push_back(static_cast<u32>(to));
    };
    for (const ir::Inst &inst : block.insts)
        if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit)
            add(block.target(inst.imm));
    if (const auto end = indirect_end(block))
        for (const i64 place : indirect_targets(*end)) add(place);
    return result;
}

RegionOutline outline_of(const Region &region) {
    RegionOutline outline{.mode = region.mode,
                          .exit_targets = region.exit_targets,
                          .crossings = region.crossings,
                          .ranges = region.ranges,
                          .guest_instructions = region.guest_instructions};
    for (const RegionBlock &block : region.blocks)
        outline.extents.push_back({block.page, block.page_offset, block.guest_bytes});
    for (const u32 entry : region.entries)
        outline.entries.push_back(region.blocks[entry].page_offset);
    return outline;
}

std::vector<i64> successors(const RegionBlock &block) {
    std::vector<i64> result;
    const bool comes_back = block.insts.back().op == ir::Opcode::Exit;
    for (const ir::Inst &inst : block.insts)
        if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit ||
            (inst.op == ir::Opcode::PushReturn && comes_back))
            add_unique(result, block.target(inst.imm));
    return result;
}

Region form_loop(u32 offset, u32 mode, const CodeSource &source, const RegionLimits &limits) {
    const std::vector<i64> warm = warm_places(source, limits);
    const Region around = reach_region(offset, mode, source, limits, warm);
    if (around.blocks.empty()) return {};
    for (const i64 header : loop_headers(around)) {
        Region region = reach_region(header, mode, source, limits, warm);
        if (region.blocks.empty()) continue;
        keep_cycle(region);
        if (region.find(offset) < 0) continue;
        find_indirect_targets(region, warm);
        complete(region, source, limits);
        return region;
    }
    return {};
}

Region form_trace(u32 offset, u32 mode, const CodeSource &source, const RegionLimits &limits) {
    Region region = reach_region(offset, mode, source, limits, warm_places(source, limits));
    if (!region.blocks.empty()) complete(region, source, limits);
    return region;
}

} // namespace tandem::jit
