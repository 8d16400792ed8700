#pragma once
/// A region as one LLVM function. The files lower_*.cpp hold the code for each class of operations;
/// this class is what they use. Private to jit/llvm.
///
/// State slots that the region touches live in allocas, which SROA turns into SSA values; they are
/// loaded at the entry, stored where a block is left and before anything that may look at them, and
/// loaded again after a helper that may have changed them. Slots that cannot have been written
/// since are not stored. The budget is such a variable too; it is tested where a path could
/// otherwise run more than ir::kMaxBlockInstructions between two tests, which includes every
/// backward edge.
#include "ir/memory_op.h"
#include "jit/baseline/host_features.h"
#include "jit/llvm/llvm_headers.h"
#include "jit/regions/region.h"

#include <array>
#include <map>
#include <vector>

namespace tandem::jit::llvm_tier {

using ir::Inst;
using ir::Opcode;
using ir::ValueId;

/// Names of the symbols that a function refers to; exits are "exit0", "exit1"...
inline constexpr const char *kMemorySymbol = "memory";
inline constexpr const char *kThunkSymbol = "thunk";
inline constexpr const char *kLookupSymbol = "exit_lookup";
inline constexpr const char *kPcSetSymbol = "exit_pc_set";
inline constexpr const char *kFunctionSymbol = "region";

/// A Flags value: how it was made, and N, Z, C, V as i1 where they have been wanted.
struct FlagsValue {
    enum class Kind : u8 { Bits, Subtraction, Addition, Logic } kind = Kind::Bits;
    llvm::Value *a = nullptr, *b = nullptr; ///< operands; of Logic the result
    std::array<llvm::Value *, 4> bits{};    ///< N, Z, C, V
};

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
    [[nodiscard]] const ir::Block &block() const { return *block_; }
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
    [[nodiscard]] llvm::Value *pc_page() { return pc_page_; }
    /// Stores what may have been written since it was last stored.
    void write_back();
    /// After code that may have changed any state.
    void reload_state();
    /// What the lowering knows on the way it is on, around a way that it leaves.
    struct Saved;
    [[nodiscard]] Saved save() const;
    void restore(const Saved &saved);

    // --- where we are, leaving ---
    void set_insn(u64 imm) { insn_ = imm; }
    [[nodiscard]] u64 insn() const { return insn_; }
    [[nodiscard]] u32 retired() const { return ir::insn_index(insn_) + 1; }
    [[nodiscard]] llvm::Value *budget_after(u32 count);
    /// Ends the LLVM block: to a guest address in this page, having retired all up to here.
    void go_to(i64 target);
    void go_to_address(llvm::Value *target);
    /// ExecContext::pc is set, state stored.
    void go_to_dispatcher(llvm::Value *budget);
    /// To after an operation that set pending_exit.
    void leave_pending();
    /// A return: to one of the region's blocks if that is where it leads.
    void return_to(llvm::Value *target);

    [[nodiscard]] llvm::BasicBlock *new_block(const char *name);
    /// Branches; goes on in `hot`. The other is unlikely.
    void branch_unlikely(llvm::Value *condition, llvm::BasicBlock *cold, llvm::BasicBlock *hot);
    [[nodiscard]] llvm::MDNode *unlikely() const { return unlikely_; }

    // --- out of line ---
    /// Arguments to ExecContext::scratch.
    void store_arguments(const Inst &inst);
    [[nodiscard]] llvm::Value *load_result(ir::Type type, unsigned index);
    /// By the definition; the result in the type of the operation.
    [[nodiscard]] llvm::Value *call_thunk(const Inst &inst);
    /// `result` unless `suspicious`, then what the thunk says.
    [[nodiscard]] llvm::Value *unless(llvm::Value *suspicious, llvm::Value *result,
                                      const Inst &inst);
    /// By MemoryAccess; leaves the region if that wants it. Results by load_result().
    void call_memory(const Inst &inst);
    [[nodiscard]] llvm::Value *raw_host_pointer(llvm::Value *address) {
        return b.CreateIntToPtr(address, b.getPtrTy());
    }
    llvm::MDNode *guest_scope = nullptr, *context_scope = nullptr;

    // --- shared TLB checks ---
    struct PageCheck {
        ValueId base = ir::kNoValue;
        i64 low = 0, high = 0;
        unsigned regime = 0;
        llvm::Value *addend = nullptr; ///< 0 after a miss
    };
    std::array<PageCheck, 2> checks; ///< for reads, for writes
    void forget_checks() { checks = {}; }
    struct Saved {
        std::array<PageCheck, 2> checks;
        std::vector<bool> dirty;
    };

private:
    struct Slot {
        u64 offset = 0;
        unsigned size = 0;
        bool is_vector = false;
        bool is_flags = false;
        bool is_written = false;
        bool is_direct = false; ///< too odd for a variable
        llvm::Type *type = nullptr;
        std::array<llvm::AllocaInst *, 4> variables{};
    };
    struct BlockInfo {
        llvm::BasicBlock *entry = nullptr;
        u32 unchecked = 0;         ///< most instructions retired since the last test of the budget
        u32 order = ~u32{0};       ///< in reverse postorder; none: not reached
        std::vector<bool> dirty{}; ///< slots perhaps not stored, at its start
    };

    void find_slots();
    void find_order();
    void find_dirty();
    void load_slot(Slot &slot);
    void store_slot(Slot &slot);
    Slot *find_slot(u64 offset);
    [[nodiscard]] bool is_barrier(const Inst &inst) const;
    [[nodiscard]] std::vector<u32> edges(const ir::Block &block) const;
    void lower_block(u32 index);
    void tail_call(const char *symbol, llvm::Value *budget, llvm::Value *target);
    void go_to_block(u32 index);
    void call_preserving(const char *symbol, llvm::Type *result, llvm::ArrayRef<llvm::Value *> args,
                         llvm::Value *&out);

    llvm::Module &module_;
    const Region &region_;
    std::span<const ir::Helper> helpers_;
    const HostFeatures &host_;
    llvm::Function *function_ = nullptr;
    llvm::FunctionType *function_type_ = nullptr;
    llvm::Value *context_ = nullptr;
    llvm::Value *pc_page_ = nullptr;
    llvm::AllocaInst *budget_ = nullptr;
    std::array<llvm::AllocaInst *, ir::kRegimeCount> tlb_{};
    llvm::BasicBlock *leave_ = nullptr;
    llvm::PHINode *leave_budget_ = nullptr;
    llvm::MDNode *unlikely_ = nullptr;

    std::vector<Slot> slots_;
    std::vector<BlockInfo> infos_;
    std::vector<u32> order_;

    const ir::Block *block_ = nullptr;
    u32 block_index_ = 0;
    ValueId current_ = 0;
    u64 insn_ = 0;
    std::vector<llvm::Value *> values_;
    std::map<ValueId, FlagsValue> flags_;
    std::vector<bool> dirty_;
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
