// The block's shape: which instructions it takes, where it ends, and what happens around each.
#include "frontend-arm/a64/translate/translator.h"

#include <algorithm>
#include <cstring>

namespace tandem::arm::a64 {
namespace {

constexpr i64 kPageSize = 4096;
/// A forward branch within the page is followed if it is no longer than this.
constexpr i64 kFollowedBranch = 256;
constexpr unsigned kMaxConditionalExits = 4;
/// No instruction needs more IR instructions than this.
constexpr std::size_t kMaxInstsPerInstruction = 512;

} // namespace

void Translator::translate(std::span<const std::byte, 4096> page, u32 page_offset,
                           u32 max_instructions) {
    ir::Block &block = b.block();
    block.clear();
    block.page_offset = page_offset;
    block.mode = mode.value;
    next_offset_ = page_offset;

    while (!ended_) {
        offset_ = next_offset_;
        next_offset_ += 4;
        b.Insn(ir::insn_imm(static_cast<u32>(offset_), index_));
        block.guest_instructions = index_ + 1;
        // Arm ARM D1.3.6: a misaligned PC is found before the instruction is fetched.
        if (offset_ % 4 != 0) {
            call(HelperId::raise_pc_alignment, b.PcRelative(static_cast<u64>(offset_)));
            leave();
            break;
        }
        u32 word = 0;
        std::memcpy(&word, page.data() + offset_, sizeof word);
        translate_instruction(word);
        if (ended_) break;
        // A single step ends the block, and so its first instruction.
        const bool is_full = next_offset_ >= kPageSize || index_ + 1 >= max_instructions ||
                             mode.has(Mode::kSingleStep) ||
                             block.insts.size() + kMaxInstsPerInstruction > ir::kMaxBlockInsts;
        if (is_first() || is_full) about_to_complete();
        if (is_full) exit_to(next_offset_);
        ++index_;
    }
    block.guest_bytes = static_cast<u32>(std::min(offset_ + 4, kPageSize) - page_offset);
}

void Translator::translate_instruction(u32 word) {
    // Arm ARM D1.3.6, priority of synchronous exceptions: software step, breakpoint, illegal
    // execution state, branch target, then what the instruction itself raises.
    if (mode.has(Mode::kSingleStep) && !mode.has(Mode::kSsBit)) {
        raise(HelperId::raise_software_step);
        return;
    }
    if (mode.has(Mode::kBreakpoints)) call(HelperId::check_breakpoints);
    if (mode.has(Mode::kIllegalState)) {
        raise(HelperId::raise_illegal_state);
        return;
    }
    const Row row = decoder_.decode(word);
    if (is_first() && mode.has(Mode::kGuardedPage)) check_branch_target(row, word);

    const std::size_t body = b.block().insts.size();
    const bool sp_was_aligned = sp_is_aligned_;
    const bool is_allocated = dispatch(row, word);
    if (is_allocated && !(mode.has(Mode::kFpTrapped) && info(row).fp_simd)) return;
    // UNDEFINED comes before the trap of FP instructions; both replace the body.
    b.block().insts.resize(body);
    sp_is_aligned_ = sp_was_aligned;
    raise(is_allocated ? HelperId::raise_fp_trap : HelperId::raise_undefined);
}

bool Translator::dispatch(Row row, u32 word) {
    switch (row) {
#define INST(name, ...)                                                                            \
    case Row::name: return name(Fields<Row::name>(word));
#include "frontend-arm/a64/tables/all.inc"
    case Row::kUndefined: break;
    }
    return false;
}

/// Arm ARM D8.4.9 (FEAT_BTI): on a guarded page, an instruction that an indirect branch reaches
/// must be a landing pad compatible with PSTATE.BTYPE.
void Translator::check_branch_target(Row row, u32 word) {
    // BRK and HLT come first; "BTI jc" takes every branch.
    if (row == Row::BRK || row == Row::HLT) return;
    const u32 pad = row == Row::BTI ? Fields<Row::BTI>(word).o() : 0;
    if (pad == 3) return;
    const ir::I64 btype = b.ZeroExtend32(b.GetState32(kBtypeOffset));
    // BTI c and PACIASP refuse BTYPE 3, BTI j refuses BTYPE 2, all others refuse everything but 0.
    const bool is_pac = row == Row::PACIASP || row == Row::PACIBSP;
    if (pad == 0 && !is_pac)
        raise_if(b.IsNonZero64(btype), HelperId::branch_target_mismatch);
    else
        raise_if(b.Equal64(btype, b.Const64(pad == 2 ? 2 : 3)), HelperId::branch_target_mismatch,
                 is_pac ? 1 : 0);
}

void Translator::about_to_complete() {
    // PSTATE.BTYPE is 0 after every instruction but an indirect branch; only the first instruction
    // of a block can have found another value.
    if (is_first() && mode.has(Mode::kBtypeTracked)) b.SetState32(b.Const32(0), kBtypeOffset);
    if (mode.has(Mode::kSingleStep)) call(HelperId::advance_step);
}

bool Translator::leave() {
    b.ExitDispatch();
    ended_ = true;
    return true;
}

bool Translator::raise(HelperId id, u64 imm) {
    call(id, imm);
    return leave();
}

/// The block's last exit. After a single step the mode has changed, which direct exits assume not.
void Translator::exit_to(i64 target) {
    if (mode.has(Mode::kSingleStep)) {
        b.SetState64(b.PcRelative(static_cast<u64>(target)), kPcOffset);
        leave();
        return;
    }
    b.Exit(static_cast<u64>(target));
    ended_ = true;
}

bool Translator::end_block() {
    about_to_complete();
    exit_to(next_instruction());
    return true;
}

bool Translator::branch(i64 target) {
    // Go on translating there if it leads forward: the block stays a list without loops.
    if (target > offset_ && target < kPageSize && target - offset_ <= kFollowedBranch &&
        !mode.has(Mode::kSingleStep)) {
        next_offset_ = target;
        return true;
    }
    about_to_complete();
    exit_to(target);
    return true;
}

bool Translator::branch_if(ir::I1 condition, i64 target) {
    about_to_complete();
    if (mode.has(Mode::kSingleStep)) {
        b.SetState64(b.Select64(condition, b.PcRelative(static_cast<u64>(target)),
                                b.PcRelative(static_cast<u64>(next_instruction()))),
                     kPcOffset);
        return leave();
    }
    b.ExitIf(condition, static_cast<u64>(target));
    // What follows a loop's end is not worth a place in the loop's block.
    if (target <= offset_ || ++conditional_exits_ == kMaxConditionalExits)
        exit_to(next_instruction());
    return true;
}

bool Translator::branch_indirect(ir::I64 target, BranchHint hint, unsigned n) {
    about_to_complete();
    if (mode.has(Mode::kBtypeTracked) && hint != BranchHint::Return) {
        // Arm ARM, BranchTo: BTYPE is 2 after calls; after jumps 1, or 3 if they come from a
        // guarded page through another register than X16 and X17.
        const bool through_linker = n == 16 || n == 17;
        const u32 btype = hint == BranchHint::Call                          ? 2
                          : mode.has(Mode::kGuardedPage) && !through_linker ? 3
                                                                            : 1;
        b.SetState32(b.Const32(btype), kBtypeOffset);
    }
    if (mode.has(Mode::kSingleStep)) {
        b.SetState64(target, kPcOffset);
        return leave();
    }
    b.ExitIndirect(target, static_cast<u64>(hint));
    ended_ = true;
    return true;
}

} // namespace tandem::arm::a64
