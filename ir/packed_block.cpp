// An instruction is a unit with its opcode and the form of its immediate, a unit for each argument,
// then the immediate's units, least significant first.
#include "ir/packed_block.h"

#include <cstring>

namespace tandem::ir {
namespace {

constexpr unsigned kOpcodeBits = 12;
static_assert(kOpcodeCount <= 1u << kOpcodeBits);

/// Number of units of each form.
enum class ImmForm : u8 { Zero, Unsigned16, Signed32, Whole };
constexpr std::array<u8, 4> kImmUnits{0, 1, 2, 4};
constexpr std::size_t kMaxUnits = 1 + 4 + 4;

ImmForm imm_form(u64 imm) {
    if (imm == 0) return ImmForm::Zero;
    if (imm <= 0xffff) return ImmForm::Unsigned16;
    if (static_cast<i64>(imm) == static_cast<i32>(imm)) return ImmForm::Signed32;
    return ImmForm::Whole;
}

} // namespace

PackedBlock::PackedBlock(const Block &block, Arena &arena)
    : inst_count_(static_cast<u32>(block.insts.size())), page_offset_(block.page_offset),
      mode_(block.mode), guest_bytes_(block.guest_bytes),
      guest_instructions_(block.guest_instructions) {
    u16 units[kMaxBlockInsts * kMaxUnits]; // not cleared: most blocks use very little of it
    u16 *at = units;
    for (const Inst &inst : block.insts) {
        const ImmForm form = imm_form(inst.imm);
        *at++ = static_cast<u16>(static_cast<unsigned>(inst.op) | static_cast<unsigned>(form)
                                                                      << kOpcodeBits);
        const unsigned count = arg_count(inst.op);
        std::memcpy(at, inst.args.data(), sizeof inst.args);
        at += count;
        std::memcpy(at, &inst.imm, sizeof inst.imm);
        at += kImmUnits[static_cast<unsigned>(form)];
    }
    unit_count_ = static_cast<u32>(at - units);
    units_ = make_arena_array<u16>(arena, unit_count_);
    std::memcpy(units_.get(), units, unit_count_ * sizeof(u16));
}

void PackedBlock::unpack(Block &out) const {
    out.page_offset = page_offset_;
    out.mode = mode_;
    out.guest_bytes = guest_bytes_;
    out.guest_instructions = guest_instructions_;
    out.insts.resize(inst_count_);
    const u16 *at = units_.get();
    for (Inst &inst : out.insts) {
        const unsigned head = *at++;
        inst.op = static_cast<Opcode>(head & ((1u << kOpcodeBits) - 1));
        const unsigned count = arg_count(inst.op);
        for (unsigned i = 0; i < inst.args.size(); ++i) inst.args[i] = i < count ? *at++ : kNoValue;
        switch (static_cast<ImmForm>(head >> kOpcodeBits)) {
        case ImmForm::Zero: inst.imm = 0; break;
        case ImmForm::Unsigned16: inst.imm = *at++; break;
        case ImmForm::Signed32: {
            i32 imm;
            std::memcpy(&imm, at, sizeof imm);
            inst.imm = static_cast<u64>(i64{imm});
            at += 2;
            break;
        }
        case ImmForm::Whole:
            std::memcpy(&inst.imm, at, sizeof inst.imm);
            at += 4;
            break;
        }
    }
}

} // namespace tandem::ir
