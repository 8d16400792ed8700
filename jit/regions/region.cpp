#include "jit/regions/region.h"

#include <algorithm>

namespace tandem::jit {
namespace {

bool is_in_page(i64 offset) {
    return offset >= 0 && offset <= 0xfff;
}

void add_unique(std::vector<u32> &list, i64 offset) {
    if (is_in_page(offset) && std::ranges::find(list, static_cast<u32>(offset)) == list.end())
        list.push_back(static_cast<u32>(offset));
}

/// Which blocks can reach a cycle of blocks.
std::vector<bool> reaching_cycles(const Region &region) {
    const std::size_t count = region.blocks.size();
    // reach[i][j]: from i one gets to j by one or more edges.
    std::vector<std::vector<bool>> reach(count, std::vector<bool>(count));
    for (std::size_t i = 0; i < count; ++i)
        for (const u32 offset : successors(region.blocks[i]))
            if (const int j = region.find(offset); j >= 0)
                reach[i][static_cast<std::size_t>(j)] = true;
    for (std::size_t k = 0; k < count; ++k)
        for (std::size_t i = 0; i < count; ++i) {
            if (!reach[i][k]) continue;
            for (std::size_t j = 0; j < count; ++j)
                if (reach[k][j]) reach[i][j] = true;
        }
    std::vector<bool> result(count);
    for (std::size_t i = 0; i < count; ++i) {
        result[i] = reach[i][i];
        for (std::size_t j = 0; j < count; ++j)
            if (reach[i][j] && reach[j][j]) result[i] = true;
    }
    return result;
}

/// What is known only once all blocks are.
void complete(Region &region) {
    region.first_byte = 0xfff;
    for (const ir::Block &block : region.blocks) {
        region.guest_instructions += block.guest_instructions;
        region.first_byte = std::min(region.first_byte, block.page_offset);
        region.end_byte = std::max(region.end_byte, block.page_offset + block.guest_bytes);
        for (const ir::Inst &inst : block.insts) {
            const auto target = static_cast<i64>(inst.imm);
            if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit) {
                if (region.find(target) < 0) add_unique(region.exit_targets, target);
            } else if (inst.op == ir::Opcode::PushReturn && region.find(target) >= 0) {
                add_unique(region.return_offsets, target);
            }
        }
    }
}

} // namespace

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

std::vector<u32> successors(const ir::Block &block) {
    std::vector<u32> result;
    const ir::Inst &last = block.insts.back();
    const bool stays = last.op == ir::Opcode::Exit && is_in_page(static_cast<i64>(last.imm));
    for (const ir::Inst &inst : block.insts)
        if (inst.op == ir::Opcode::ExitIf || inst.op == ir::Opcode::Exit ||
            (inst.op == ir::Opcode::PushReturn && stays))
            add_unique(result, static_cast<i64>(inst.imm));
    return result;
}

Region form_region(u32 entry, u32 mode, const BlockSource &source, bool needs_loop,
                   const RegionLimits &limits) {
    Region region;
    region.mode = mode;
    std::vector<u32> pending{entry};
    u32 instructions = 0;
    for (std::size_t next = 0; next < pending.size(); ++next) {
        ir::Block block;
        if (!source(pending[next], block)) continue;
        if (region.blocks.size() == limits.blocks ||
            instructions + block.guest_instructions > limits.instructions)
            break;
        instructions += block.guest_instructions;
        for (const u32 offset : successors(block)) add_unique(pending, offset);
        region.blocks.push_back(std::move(block));
    }
    if (region.blocks.empty() || region.blocks[0].page_offset != entry) return {};
    if (needs_loop) {
        const std::vector<bool> keep = reaching_cycles(region);
        if (!keep[0]) return {};
        std::vector<ir::Block> kept;
        for (std::size_t i = 0; i < keep.size(); ++i)
            if (keep[i]) kept.push_back(std::move(region.blocks[i]));
        region.blocks = std::move(kept);
    }
    complete(region);
    return region;
}

} // namespace tandem::jit
