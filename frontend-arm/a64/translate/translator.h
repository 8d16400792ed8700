#pragma once
/// Translates the instructions of one block. Every row of the tables is a member function of the
/// same name, which emits the instruction's IR, or returns false for an unallocated encoding
/// (reserved field values): what it has emitted is then dropped. Bodies, by class of instruction,
/// are in the files of this folder and read like the manual's pseudocode.
#include "frontend-arm/a64/decoder.h"
#include "frontend-arm/a64/fields.h"
#include "frontend-arm/a64/translate/emitter.h"

#include <span>

namespace tandem::arm::a64 {

class Translator : public Emitter {
public:
    Translator(const Decoder &decoder, FeatureSet feature_set, Mode mode_bits, ir::Block &block)
        : Emitter(feature_set, mode_bits, block), decoder_(decoder) {}

    /// See ir::Frontend::translate.
    void translate(std::span<const std::byte, 4096> page, u32 page_offset, u32 max_instructions);

    // The rows of the tables.
#define INST(name, ...) bool name(Fields<Row::name>);
#include "frontend-arm/a64/tables/all.inc"

    // --- control flow. Targets are byte offsets from the page of the current instruction, at
    // this_instruction(). Each of these is the last thing an instruction's body does.
    [[nodiscard]] i64 this_instruction() const { return offset_; }
    [[nodiscard]] i64 next_instruction() const { return offset_ + 4; }
    /// Always true, so that bodies can return it.
    bool branch(i64 target);
    bool branch_if(ir::I1 condition, i64 target);
    /// n: the register that holds the target.
    bool branch_indirect(ir::I64 target, BranchHint hint, unsigned n);
    /// Ends the block before the next instruction.
    bool end_block();
    /// Calls a helper that always leaves the block: exceptions, ERET.
    bool raise(HelperId id, u64 imm = 0);
    /// Before whatever completes the instruction and leaves the block: an exit, or a helper that
    /// may.
    void about_to_complete();

private:
    bool dispatch(Row row, u32 word);
    void translate_instruction(u32 word);
    void check_branch_target(Row row, u32 word);
    void exit_to(i64 target);
    bool leave();
    [[nodiscard]] bool is_first() const { return index_ == 0; }

    // Bodies that several rows share.
    template <typename T>
    void add_sub(unsigned d, T a, T c, bool is_sub, bool sets_flags);
    template <typename F>
    bool add_sub_immediate(F f, bool is_sub, bool sets_flags);
    template <typename F>
    bool add_sub_shifted(F f, bool is_sub, bool sets_flags);
    template <typename F>
    bool add_sub_extended(F f, bool is_sub, bool sets_flags);
    template <typename F>
    bool logical_immediate(F f);
    template <typename F>
    bool logical_shifted(F f);
    template <typename T>
    T shifted(unsigned m, unsigned type, unsigned amount);
    ir::I64 extended(unsigned m, unsigned option, unsigned shift);
    template <typename F>
    bool add_sub_carry(F f, bool is_sub, bool sets_flags);
    template <typename F>
    bool bitfield(F f);
    template <typename F>
    bool integer_multiply_add(F f, bool is_sub);
    bool set_flags_narrow(unsigned n, unsigned width);
    template <typename F>
    bool conditional_compare(F f, bool is_sub);
    template <typename F>
    bool conditional_select(F f);
    template <typename F>
    bool two_sources(F f);
    template <typename F>
    bool crc(F f, bool is_castagnoli);
    template <typename F>
    bool integer_multiply_long(F f, bool is_signed, bool is_sub);
    bool pac(HelperId id, unsigned d, ir::I64 modifier);
    ir::I64 authenticate(HelperId id, ir::I64 pointer, ir::I64 modifier);
    bool aut(HelperId id, unsigned d, ir::I64 modifier);
    bool authenticated_branch(HelperId id, unsigned n, ir::I64 modifier, BranchHint hint);
    void link();

    void dispatch_interrupts();
    bool zero_cache_line(unsigned t);

    enum class Index : u8 { Offset, Pre, Post };
    /// Calls access(address) for base + imm9, or base + imm7 << size_log2; then writes back.
    template <typename F, typename Access>
    void with_imm9(F f, Index index, Access access);
    template <typename F, typename Access>
    void with_imm7(F f, Index index, unsigned size_log2, Access access);
    template <typename F, typename Access>
    bool with_register_offset(F f, unsigned size_log2, Access access);
    ir::I64 scaled_address(unsigned n, u64 offset);
    ir::I64 literal_address(i64 offset);
    template <typename F>
    bool single_imm9(F f, Index index, MemoryOp op, bool is_load);
    template <typename F>
    bool single_imm9_signed(F f, Index index, MemoryOp op);
    template <typename F>
    bool single_imm9_fp(F f, Index index, bool is_load);
    template <typename F>
    bool pair(F f, Index index, bool is_load);
    template <typename F>
    bool pair_signed(F f, Index index);
    template <typename F>
    bool pair_fp(F f, Index index, bool is_load);
    void load_to(unsigned t, unsigned size_log2, ir::I64 address, MemoryOp op);
    void load_signed_to(unsigned t, unsigned size_log2, bool to_32_bit, ir::I64 address,
                        MemoryOp op);
    void load_fp_to(unsigned t, unsigned size_log2, ir::I64 address, MemoryOp op);
    void store_fp_from(unsigned t, unsigned size_log2, ir::I64 address, MemoryOp op);
    template <typename F>
    bool atomic(F f, AtomicKind kind);
    template <typename F>
    bool load_exclusive(F f, bool acquire);
    template <typename F>
    bool load_exclusive_pair(F f, bool acquire);
    template <typename F>
    bool store_exclusive(F f, bool release);
    template <typename F>
    bool store_exclusive_pair(F f, bool release);
    ir::I64 word_pair(unsigned first, unsigned second);
    template <typename F>
    bool memory_copy_set(F f, bool is_set);

    ir::V128 load_vector(ir::I64 address, unsigned bytes, unsigned element_log2);
    void store_vector(ir::I64 address, ir::V128 value, unsigned bytes, unsigned element_log2);
    template <typename F>
    bool structure_multiple(F f, unsigned registers, unsigned structure);
    template <typename F>
    bool structure_single(F f, unsigned structure);
    template <typename F>
    bool structure_replicate(F f, unsigned structure);
    template <typename F>
    void structure_write_back(F f, ir::I64 address, unsigned bytes);

    const Decoder &decoder_;
    i64 offset_ = 0;      ///< of the current instruction, from the page
    i64 next_offset_ = 0; ///< where translation goes on
    u32 index_ = 0;       ///< of the current instruction in the block
    unsigned conditional_exits_ = 0;
    bool ended_ = false; ///< the block's last exit has been emitted
};

template <typename F, typename Access>
void Translator::with_imm9(F f, Index index, Access access) {
    const i64 offset = f.template get_signed<'i'>();
    const ir::I64 start = base(f.n());
    const ir::I64 moved = offset == 0 ? start : b.Add64(start, b.Const64(static_cast<u64>(offset)));
    access(index == Index::Post ? start : moved);
    if (index != Index::Offset) write_back(f.n(), moved, offset);
}

} // namespace tandem::arm::a64
