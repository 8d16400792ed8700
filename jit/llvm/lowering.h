#pragma once
/// A region as one LLVM function. The files lower_*.cpp hold the code for each class of operations;
/// this class is what they use. Private to jit/llvm.
///
/// State slots that the region touches live in allocas, which SROA turns into SSA values; they are
/// loaded at the entry, stored where the region is left and before helpers, and loaded again after
/// a helper that may have changed them. Side exits (regions/side_exits.h) store nothing: they name
/// the values of slots that may have been written since they were last stored. The budget is such a
/// variable too; it is tested where a path could otherwise run more than ir::kMaxBlockInstructions
/// between two tests, which includes every backward edge.
#include "ir/memory_op.h"
#include "jit/baseline/host_features.h"
#include "jit/llvm/llvm_headers.h"
#include "jit/regions/page_streams.h"
#include "jit/regions/region.h"
#include "jit/regions/region_image.h"

#include <array>
#include <map>
#include <vector>

namespace tandem::jit::llvm_tier {

using ir::Inst;
using ir::Opcode;
using ir::ValueId;

/// Names of the symbols that a function refers to. Exits, helpers and crossings have a number
/// behind theirs; a helper's is a variable that holds its address, a crossing's one that holds its
/// block's.
inline constexpr const char *kLookupSymbol = "lookup";
inline constexpr const char *kPcSetSymbol = "pc_set";
inline constexpr const char *kExitSymbol = "exit";
inline constexpr const char *kHelperSymbol = "helper";
inline constexpr const char *kCrossingSymbol = "crossing";
inline constexpr const char *kFunctionSymbol = "region";

/// A Flags value: how it was made, and N, Z, C, V as i1 where they have been wanted.
struct FlagsValue {
    enum class Kind : u8 {
        Bits,
        Operation, ///< `form` of a and b
        Select,    ///< by `test`, of two Flags values of the block
        Variable,  ///< `form_value`, which is one of `forms`, of a and b as i64
    } kind = Kind::Bits;
    FlagsForm form = FlagsForm::Packed;
    llvm::Value *a = nullptr, *b = nullptr;
    llvm::Value *test = nullptr;
    ValueId yes = ir::kNoValue, no = ir::kNoValue;
    llvm::Value *form_value = nullptr;
    u32 forms = 0;                       ///< a bit for each FlagsForm
    std::array<llvm::Value *, 4> bits{}; ///< N, Z, C, V
};
[[nodiscard]] constexpr u32 only(FlagsForm form) {
    return 1u << static_cast<unsigned>(form);
}
/// The forms that the flags made by an instruction may have, given those of its arguments.
[[nodiscard]] u32 flags_forms(const Inst &inst, std::span<const u32> of_values, u32 of_state);

class Lowering {
public:
    using Emitter = void (*)(Lowering &, const Inst &, ValueId);

    Lowering(llvm::Module &module, const Region &region, std::span<const ir::Helper> helpers,
             const HostFeatures &host);
    llvm::Function *run();

    llvm::IRBuilder<> b;

    // --- values of the current block ---
    [[nodiscard]] llvm::Value *value(ValueId id) const { return values_[id]; }
    void set(ValueId id, llvm::Value *v) { values_[id] = v; }
    [[nodiscard]] FlagsValue &flags(ValueId id) { return flags_[id]; }
    [[nodiscard]] llvm::Value *flag_bit(FlagsValue &flags, unsigned index);
    [[nodiscard]] llvm::Value *condition(FlagsValue &flags, ir::Cond cond);
    [[nodiscard]] llvm::Value *pack(FlagsValue &flags);
    [[nodiscard]] FlagsValue unpack(llvm::Value *packed);
    /// As a FlagsForm and two operands, all i64.
    [[nodiscard]] std::array<llvm::Value *, 3> encode(FlagsValue &flags);
    [[nodiscard]] const RegionBlock &block() const { return *block_; }
    [[nodiscard]] const Inst &inst(ValueId id) const { return block_->insts[id]; }
    [[nodiscard]] ValueId current() const { return current_; }
    [[nodiscard]] const HostFeatures &host() const { return host_; }
    [[nodiscard]] const ir::Helper &helper(u64 imm) const { return helpers_[imm & 0xffff]; }

    // --- types ---
    [[nodiscard]] llvm::Type *type(ir::Type type);
    [[nodiscard]] llvm::Type *vector(unsigned lane_bits);
    [[nodiscard]] llvm::Type *fp(unsigned width);
    [[nodiscard]] llvm::Type *fp_vector(unsigned width);
    [[nodiscard]] llvm::ConstantInt *const32(u64 v) { return b.getInt32(static_cast<u32>(v)); }
    [[nodiscard]] llvm::ConstantInt *const64(u64 v) { return b.getInt64(v); }

    // --- state ---
    [[nodiscard]] llvm::Value *context_pointer(u64 offset);
    [[nodiscard]] llvm::LoadInst *load_context(llvm::Type *type, u64 offset);
    void store_context(llvm::Value *value, u64 offset);
    [[nodiscard]] llvm::Value *get_state(u64 offset, unsigned size, llvm::Type *type);
    void set_state(u64 offset, unsigned size, llvm::Value *value);
    [[nodiscard]] FlagsValue get_flags();
    void set_flags(FlagsValue &flags);
    [[nodiscard]] llvm::Value *tlb(unsigned regime);
    /// The address of the current block's page.
    [[nodiscard]] llvm::Value *pc_page();
    /// Stores what may have been written since it was last stored.
    void write_back();
    /// The same, once and for all: it stays known.
    void store_state();
    /// After code that may have changed any state.
    void reload_state();

    // --- where we are, leaving ---
    void set_insn(u64 imm) { insn_ = imm; }
    [[nodiscard]] u64 insn() const { return insn_; }
    [[nodiscard]] u32 retired() const { return ir::insn_index(insn_) + 1; }
    [[nodiscard]] llvm::Value *budget_after(u32 count);
    /// Ends the LLVM block: to where this block's exit leads, having retired all up to here.
    void go_to(u64 imm);
    void go_to_address(llvm::Value *target);
    /// ExecContext::pc is set, state stored.
    void go_to_dispatcher(llvm::Value *budget);
    /// To after a helper that set pending_exit.
    void leave_pending();
    /// To one of the region's blocks if that is where it leads.
    void go_to_indirect(llvm::Value *target, ir::BranchHint hint);

    [[nodiscard]] llvm::BasicBlock *new_block(const char *name);
    /// Branches; goes on in `hot`. The other is unlikely.
    void branch_unlikely(llvm::Value *condition, llvm::BasicBlock *cold, llvm::BasicBlock *hot);
    [[nodiscard]] llvm::MDNode *unlikely() const { return unlikely_; }

    // --- out of line ---
    /// Fills in what the exit has in common with all here. Ends the LLVM block if it leaves.
    void side_exit(SideExit exit, llvm::ArrayRef<llvm::Value *> arguments);
    [[nodiscard]] llvm::Value *load_result(ir::Type type, unsigned index);
    /// By the definition; the result in the type of the operation.
    [[nodiscard]] llvm::Value *call_thunk(const Inst &inst);
    /// `result` unless `suspicious`, then what the code says that `make_other` makes.
    [[nodiscard]] llvm::Value *unless(llvm::Value *suspicious, llvm::Value *result,
                                      llvm::function_ref<llvm::Value *()> make_other);
    /// The same with what the thunk says.
    [[nodiscard]] llvm::Value *unless(llvm::Value *suspicious, llvm::Value *result,
                                      const Inst &inst) {
        return unless(suspicious, result, [&] { return call_thunk(inst); });
    }
    /// By MemoryAccess; leaves the region if that wants it. Results by load_result().
    void call_memory(const Inst &inst);
    /// Of the function, by their identifiers.
    [[nodiscard]] std::vector<SideExit> &side_exits() { return side_exits_; }
    [[nodiscard]] llvm::Value *raw_host_pointer(llvm::Value *address) {
        return b.CreateIntToPtr(address, b.getPtrTy());
    }
    llvm::MDNode *guest_scope = nullptr, *context_scope = nullptr;

    // --- shared TLB checks ---
    struct PageCheck {
        ValueId base = ir::kNoValue;
        i64 low = 0, high = 0; ///< bytes from the base
        ir::Regime regime = ir::Regime::User;
        bool is_write = false;
        llvm::Value *addend = nullptr; ///< 0 after a miss
    };
    std::vector<PageCheck> checks; ///< of this block
    void forget_checks() { checks.clear(); }
    /// What is known of a stream's page, in variables: `addend` is good for addresses that are less
    /// than `limit` above `page`. The limit is 0 if nothing is known; it is in memory, where code
    /// out of line resets all at once.
    struct StreamVariables {
        llvm::AllocaInst *page = nullptr, *addend = nullptr;
        llvm::Value *limit = nullptr;
        u64 full_limit = 0; ///< what it is while the page is known
    };
    /// Of the current instruction; null if it is not in a stream.
    [[nodiscard]] const StreamVariables *stream() const;
    /// After what may have changed the TLB. What other CPUs remove from it they wait for.
    void forget_streams();

private:
    struct Slot {
        u64 offset = 0;
        unsigned size = 0;
        bool is_vector = false;
        bool is_flags = false;
        bool is_direct = false; ///< too odd for a variable
        llvm::Type *type = nullptr;
        std::array<llvm::AllocaInst *, 3> variables{}; ///< one, or what encode() gives
    };
    struct BlockInfo {
        llvm::BasicBlock *entry = nullptr;
        u32 unchecked = 0;         ///< most instructions retired since the last test of the budget
        u32 order = ~u32{0};       ///< in reverse postorder; none: not reached
        std::vector<bool> dirty{}; ///< slots perhaps not stored, at its start
        u32 forms = 0;             ///< of the flags there
    };
    /// A way out that several blocks share.
    struct Exit {
        llvm::BasicBlock *entry = nullptr;
        std::vector<bool> dirty{};
        u32 forms = 0;
    };

    void find_slots();
    void find_order();
    /// What is dirty, and the forms of flags, at the start of each block.
    void find_state();
    void find_streams();
    void make_stream_variables();
    bool join(u32 to, const std::vector<bool> &dirty, u32 forms);
    void load_slot(Slot &slot);
    void store_slot(Slot &slot);
    Slot *find_slot(u64 offset);
    [[nodiscard]] bool is_barrier(const Inst &inst) const;
    [[nodiscard]] llvm::Value *argument(const Inst &inst, unsigned index);
    [[nodiscard]] std::vector<llvm::Value *> arguments(const Inst &inst);
    void lower_block(u32 index);
    void lower_exits();
    void tail_call(const char *symbol, llvm::Value *budget, llvm::Value *target);
    void go_to_block(u32 index);
    /// Goes on only if what the region was made from is mapped at a crossing; else leaves.
    void check_crossing(i64 place);
    llvm::BasicBlock *leave_by(Exit &exit);

    llvm::Module &module_;
    const Region &region_;
    std::span<const ir::Helper> helpers_;
    const HostFeatures &host_;
    llvm::Function *function_ = nullptr;
    llvm::FunctionType *function_type_ = nullptr;
    llvm::Value *context_ = nullptr;
    llvm::AllocaInst *budget_ = nullptr;
    std::array<llvm::AllocaInst *, ir::kRegimeCount> tlb_{};
    PageStreams page_streams_;
    std::vector<StreamVariables> streams_;
    /// Whether the mapping of a page with crossings has been checked, by its place.
    std::map<i64, llvm::AllocaInst *> is_page_known_;
    std::vector<SideExit> side_exits_;
    llvm::MDNode *unlikely_ = nullptr;

    std::vector<Slot> slots_;
    std::vector<BlockInfo> infos_;
    std::vector<u32> order_;
    std::vector<Exit> exits_;   ///< by exit target
    std::vector<Exit> used_up_; ///< by block

    const RegionBlock *block_ = nullptr;
    u32 block_index_ = 0;
    ValueId current_ = 0;
    u64 insn_ = 0;
    std::vector<llvm::Value *> values_;
    std::map<ValueId, FlagsValue> flags_;
    std::vector<bool> dirty_;
    u32 forms_ = 0; ///< of the flags in state
};

/// The emitter of an operation; null if it has none in that file.
Lowering::Emitter control_lowering(Opcode op);
Lowering::Emitter integer_lowering(Opcode op);
Lowering::Emitter flags_lowering(Opcode op);
Lowering::Emitter memory_lowering(Opcode op);
Lowering::Emitter fp_lowering(Opcode op, const HostFeatures &host);
Lowering::Emitter vector_lowering(Opcode op);
/// Any of them; null for an operation that calls its definition.
Lowering::Emitter lowering(Opcode op, const HostFeatures &host);

} // namespace tandem::jit::llvm_tier
