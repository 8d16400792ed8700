#pragma once
/// The emitter of one block: register allocation, state slots, cold paths. The files emit_*.cpp
/// hold the code for each operation; this class is what they use. Private to the baseline tier.
///
/// One forward pass emits code; a backward pass before it counts uses and finds values that may be
/// computed right into a pinned register. A value is in one or more of: a register, its home (the
/// state slot that holds it), a spill slot of the frame; or it is a constant; or it is deferred:
/// flags, conditions and address sums are emitted only where they are used, and keep their
/// operands alive until then.
#include "ir/memory_op.h"
#include "ir/plain_access.h"
#include "jit/baseline/compiler.h"
#include "jit/baseline/frame.h"
#include "jit/baseline/runtime.h"

#include <array>
#include <vector>

// The system's Xbyak is older than -Wconversion.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <xbyak/xbyak.h>
#pragma GCC diagnostic pop
// It takes signed displacements and immediates as unsigned integers: so in all its users.
#pragma GCC diagnostic ignored "-Wsign-conversion"

namespace tandem::jit {

using ir::Inst;
using ir::kNoValue;
using ir::Opcode;
using ir::ValueId;

/// x86 condition codes, as in the encodings of Jcc, SETcc and CMOVcc.
enum class CC : u8 { O, NO, B, AE, E, NE, BE, A, S, NS, P, NP, L, GE, LE, G };
[[nodiscard]] constexpr CC negate(CC cc) {
    return static_cast<CC>(static_cast<u8>(cc) ^ 1);
}

/// A function (c, d, a, b) that emits d = name(a, b), in its AVX form if the host has that.
#define TANDEM_XMM_OP(name)                                                                        \
    [](BlockCompiler &c, const Xbyak::Xmm &d, const Xbyak::Xmm &a, const Xbyak::Operand &b) {      \
        if (c.host().avx)                                                                          \
            c.v##name(d, a, b);                                                                    \
        else                                                                                       \
            c.in_place(d, a, b,                                                                    \
                       [&](const Xbyak::Xmm &x, const Xbyak::Operand &y) { c.name(x, y); });       \
    }

/// ADD, OR... by their number in the 80-83 opcode groups.
enum class Alu : u8 { Add, Or, Adc, Sbb, And, Sub, Xor, Cmp };

/// How a narrow FP value stands for a whole vector register: with zeros above.
enum class View : u8 { Full, Zero16, Zero32, Zero64 };

class BlockCompiler final : public Xbyak::CodeGenerator {
public:
    using Emitter = void (*)(BlockCompiler &, const Inst &, ValueId);

    BlockCompiler(const Runtime &runtime, std::span<const ir::Helper> helpers);
    ~BlockCompiler() override;

    CompileResult compile(const ir::Block &block, u64 owner, Reach reach, CodeWindow window,
                          CompiledBlock &out);

    // --- values ----------------------------------------------------------------------------
    enum class Form : u8 {
        Normal,
        Constant, ///< `payload` is its value; perhaps in a register too
        Flags,    ///< deferred: the block's instruction `payload`
        Condition,
        Scaled,  ///< deferred: value of the instruction's first argument << `payload`
        Address, ///< deferred: value of the instruction's first argument + signed `payload`
    };
    struct ValueState {
        u64 payload = 0;
        ValueId root = 0;
        u16 uses = 0;     ///< to come; holds of deferred values included
        u16 home = 0;     ///< index of a state slot that holds it, + 1
        u16 spill = 0;    ///< index of a spill slot + 1
        u16 bindings = 0; ///< number of slots that name it
        u16 dirty = 0;    ///< number of slots it has still to be written to
        HostReg reg = kNoReg;
        i8 hint = -1; ///< index into kPinned
        Form form = Form::Normal;
        View view = View::Full;
        bool is_vector = false;      ///< class of its register
        bool is_wide = false;        ///< its home is read with 64 bits, not 32
        bool has_zero_upper = false; ///< bits 63:32 of its register are zero
        bool is_dead = false;
        bool can_fold_address = false;  ///< a sum that is only ever an address
        bool is_index = false;          ///< used once, in a sum
        bool is_stored_eagerly = false; ///< flags that a later block will see
        bool needs_all_flags = false;   ///< else of flags only the carry is used
        bool is_partial = false; ///< emitted together with another operation (emit_crypto.cpp)
        u8 home_bytes = 16;      ///< of a vector value: how much of its home to read
    };

    [[nodiscard]] ValueState &state(ValueId id) { return values_[values_[id].root]; }
    [[nodiscard]] const Inst &inst(ValueId id) const { return block_->insts[id]; }
    [[nodiscard]] ir::AccessAddress address_of(ValueId id) const {
        return ir::address_of(*block_, id);
    }
    [[nodiscard]] ValueId root(ValueId id) const { return values_[id].root; }
    [[nodiscard]] bool is_constant(ValueId id) { return state(id).form == Form::Constant; }
    [[nodiscard]] u64 constant(ValueId id) { return state(id).payload; }
    /// A constant that a 64-bit instruction can hold as its sign-extended immediate.
    [[nodiscard]] bool is_imm32(ValueId id, bool is_64_bit);
    [[nodiscard]] i32 imm32(ValueId id) { return static_cast<i32>(constant(id)); }
    /// Will the value be needed no more after this instruction's arguments are consumed?
    [[nodiscard]] bool is_live(ValueId id) { return state(id).uses > 0 || state(id).dirty > 0; }

    /// The value in a register, which stays put until the end of the instruction.
    HostReg use(ValueId id);
    Xbyak::Reg64 use64(ValueId id) { return Xbyak::Reg64(use(id)); }
    Xbyak::Reg32 use32(ValueId id) { return Xbyak::Reg32(use(id)); }
    Xbyak::Xmm use_x(ValueId id) { return Xbyak::Xmm(use(id) - kFirstXmm); }
    /// Could the value be a memory operand? Only if this is its last use.
    [[nodiscard]] bool is_memory_operand(ValueId id, bool is_64_bit = true);
    [[nodiscard]] Xbyak::RegExp memory_location(const ValueState &v);

    /// The arguments of the current instruction have been read. Call it before def() to let the
    /// result have the register of `prefer`; else the instruction's end does it.
    void consume();
    /// Arguments' registers may be overwritten by the result: it is written by the very instruction
    /// that reads them last.
    void unlock() { locked_ = busy_checks_; }
    /// A register for the result; `prefer` if that is free by now.
    HostReg def(ValueId id, HostReg prefer = kNoReg);
    Xbyak::Reg64 def64(ValueId id, HostReg prefer = kNoReg) {
        return Xbyak::Reg64(def(id, prefer));
    }
    /// The upper half of the result's register will be zero.
    Xbyak::Reg32 def32(ValueId id, HostReg prefer = kNoReg) {
        const HostReg r = def(id, prefer);
        values_[id].has_zero_upper = true;
        return Xbyak::Reg32(r);
    }
    Xbyak::Xmm def_x(ValueId id, HostReg prefer = kNoReg) {
        return Xbyak::Xmm(def(id, prefer) - kFirstXmm);
    }
    /// The result is another name of `of`.
    void alias(ValueId id, ValueId of);
    /// The result is not emitted before it is used. The arguments stay alive.
    void defer(ValueId id, Form form, u64 payload = 0);
    /// A later instruction with the arguments of the current one is emitted together with it. Call
    /// it before consume().
    void join(ValueId later);
    /// An xmm or general register for use within this instruction only.
    HostReg temporary(bool is_vector);
    Xbyak::Xmm temporary_x() { return Xbyak::Xmm(temporary(true) - kFirstXmm); }
    Xbyak::Reg64 temporary64() { return Xbyak::Reg64(temporary(false)); }
    /// Makes sure that no value is in `reg` (one of the pool), and keeps it free for this
    /// instruction.
    void claim(HostReg reg);

    // --- shared TLB checks ------------------------------------------------------------------
    /// One check of the TLB that several accesses to one page share: its register holds the addend,
    /// or 0 after a miss.
    struct PageCheck {
        ValueId base = kNoValue; ///< addresses are this value plus low..high
        i64 low = 0, high = 0;
        HostReg reg = kNoReg;
        ir::Regime regime = ir::Regime::User;
        bool has_ended = false; ///< nothing more will use it
    };
    /// The valid check for reads (0) or writes (1), if any.
    [[nodiscard]] PageCheck &page_check(bool is_write) { return checks_[is_write ? 1 : 0]; }
    /// Takes a register for a check; false if none is to spare.
    bool begin_check(bool is_write);
    /// An access uses the check: its register stays until the end of the instruction.
    void use_check(bool is_write);
    void end_check(PageCheck &check);

    // --- code --------------------------------------------------------------------------------
    [[nodiscard]] const HostFeatures &host() const { return runtime_.features(); }
    void move_constant(HostReg reg, u64 value);
    void move(HostReg to, HostReg from);
    /// A general register from or to memory at a displacement from rsp or rbp. These and the other
    /// commonest instructions are encoded here: Xbyak takes several times as long.
    enum class Direction : u8 { Load, Store };
    void move_memory(Direction direction, HostReg reg, bool on_stack, i32 displacement,
                     bool is_64_bit);
    void store_imm32(bool on_stack, i32 displacement, u32 value, bool is_64_bit);
    /// Appends up to 8 bytes of code, the first one lowest.
    void append_code(u64 bytes, unsigned count);
    /// The second operand of an instruction: an immediate, a value that is in memory and used for
    /// the last time, or a register.
    struct Operand {
        HostReg reg = kNoReg;
        bool is_imm = false;
        i32 imm = 0;
        Xbyak::RegExp memory{};
    };
    [[nodiscard]] Operand operand(ValueId id, bool is_64_bit);
    void alu(Alu op, HostReg a, const Operand &b, bool is_64_bit);
    void alu(Alu op, HostReg a, ValueId b, bool is_64_bit) {
        alu(op, a, operand(b, is_64_bit), is_64_bit);
    }
    void alu_imm(Alu op, HostReg a, i32 imm, bool is_64_bit);
    void alu_reg(Alu op, HostReg a, HostReg b, bool is_64_bit);
    void setcc(CC cc, HostReg reg);
    void cmov(CC cc, HostReg a, HostReg b, bool is_64_bit);
    /// Emits a jump to be bound; returns the position of its 32-bit displacement.
    [[nodiscard]] u32 jump(CC cc);
    [[nodiscard]] u32 jump();
    void bind(u32 jump_position) { bind(jump_position, static_cast<u32>(getSize())); }
    void bind(u32 jump_position, u32 target);
    void jump_to_stub(CC cc, u32 offset);
    void call_stub(u32 offset) { call(static_cast<const void *>(stub_address(offset))); }
    [[nodiscard]] static Xbyak::RegExp context(u64 offset) {
        return Xbyak::util::rbp + (static_cast<int>(offset) - ir::ExecContext::kContextBias);
    }
    [[nodiscard]] static Xbyak::RegExp frame(std::size_t offset) {
        return Xbyak::util::rsp + static_cast<int>(offset);
    }

    /// d = op(a, b) with an instruction that overwrites its first operand; d may be a or b.
    template <typename F>
    void in_place(const Xbyak::Xmm &d, const Xbyak::Xmm &a, const Xbyak::Operand &b, F op) {
        if (b.isXMM() && d.getIdx() == b.getIdx() && d.getIdx() != a.getIdx()) {
            const Xbyak::Xmm scratch(kScratchXmm1);
            movaps(scratch, a);
            op(scratch, b);
            movaps(d, scratch);
            return;
        }
        if (d.getIdx() != a.getIdx()) movaps(d, a);
        op(d, b);
    }
    /// Memory operand of a member of RuntimeConstants.
    [[nodiscard]] Xbyak::Address constant_operand(std::size_t offset) {
        return ptr[rip + static_cast<const void *>(
                             stub_address(stubs().constants + static_cast<u32>(offset)))];
    }

    // --- flags and conditions (control flow: emit_control.cpp) -----------------------------------
    /// Brings flags into the host's, and says whether the host's carry is inverted.
    void flags_to_host(ValueId flags);
    /// Makes the host's carry the guest's.
    void normalise_carry();
    /// Emits what evaluates the condition; the host's flags then answer it.
    CC condition(ValueId i1);
    /// As above for a guest condition code on flags.
    CC condition_of_flags(ValueId flags, ir::Cond cond);
    /// Packs the host's flags (carry normal) into eax.
    void pack_host_flags();
    /// Defines flags of which only the carry is used, by the host's: a register full of it.
    void define_carry(ValueId flags, bool is_inverted);
    /// Deferred flags will be defined before the current instruction ends: what they are of may be
    /// overwritten.
    void begin_carry(ValueId flags) { release(flags); }
    /// The host's flags are now those of `flags`.
    void set_host_flags(ValueId flags, bool carry_inverted) {
        host_flags_ = flags;
        host_carry_inverted_ = carry_inverted;
        host_has_comparison_ = false;
    }
    [[nodiscard]] bool host_has_flags(ValueId flags) const {
        return host_flags_ != kNoValue && host_flags_ == root(flags) && !host_has_comparison_;
    }
    /// The host's flags are those of UCOMISS or UCOMISD, whose guest flags are `flags`.
    void set_host_comparison(ValueId flags) {
        host_flags_ = flags;
        host_has_comparison_ = true;
    }
    /// The current instruction leaves the host's flags alone.
    void keep_host_flags() { keeps_host_flags_ = true; }
    [[nodiscard]] bool has_host_flags() const { return host_flags_ != kNoValue; }
    [[nodiscard]] bool is_carry_inverted() const { return host_carry_inverted_; }
    void lose_host_flags() { host_flags_ = kNoValue; }

    // --- state ---------------------------------------------------------------------------------
    void get_state(ValueId id, u64 offset, unsigned size);
    void set_state(u64 offset, unsigned size, ValueId value);
    /// Writes all dirty slots back; their bindings stay, clean.
    void write_back();
    void write_back_state(u64 offset);
    /// Stores flags to their slot ahead of SetFlags: begin before the instruction that makes them
    /// (their operands need not live any more), finish when the host has them.
    void begin_early_flags(ValueId flags, u64 offset);
    void finish_early_flags(ValueId flags, u64 offset);
    /// Write back, and save all live values where a call of C++ code that accesses the state leaves
    /// them alone. Forgets what slots hold.
    void prepare_call();
    /// Makes the host's mxcsr the guest's: before the first FP instruction of a block, and after
    /// every helper call, which leaves it to C++ code.
    void ensure_fp();
    void forget_fp() { has_fp_ = false; }

    // --- cold paths ------------------------------------------------------------------------------
    enum class ColdKind : u8 { Memory, Thunk, Exit, Dispatch, Raise, LoadFp };
    /// Where a value is, for code emitted later.
    struct Location {
        enum class Kind : u8 { None, Register, Memory, Constant } kind = Kind::None;
        HostReg reg = kNoReg;
        bool is_wide = true;
        bool on_stack = false;
        i32 displacement = 0;
        u64 constant = 0;
    };
    struct DirtySlot {
        u64 offset;
        u8 size;
        View view;
        bool is_deferred_flags;
        Location location; ///< of deferred flags: of the first operand
        Location second;
        Opcode op;
    };
    struct ColdPath {
        ColdKind kind;
        bool saves_xmm = false;
        bool host_has_flags = false, carry_inverted = false;
        u8 jump_count = 0, result_count = 0;
        std::array<u32, 4> jumps{};
        u32 resume = 0;
        u32 insn = 0;
        i32 address_offset = 0; ///< to add to the first argument
        Opcode op = Opcode::Nop;
        u64 imm = 0;
        std::array<Location, 4> args{};
        HostReg failed_check = kNoReg; ///< set to 0 when the path has been taken
        std::array<HostReg, 2> results{kNoReg, kNoReg};
        std::array<u8, 2> result_bytes{}; ///< of vector class results: 4, 8 or 16
        u32 first_dirty = 0, dirty_count = 0;
    };
    [[nodiscard]] Location locate(ValueId id);
    /// A path out of line; add jumps to it, set what else it needs. Valid until the next one.
    ColdPath &cold_path(ColdKind kind);
    [[nodiscard]] std::size_t last_cold() const { return cold_.size() - 1; }
    [[nodiscard]] ColdPath &cold(std::size_t index) { return cold_[index]; }
    /// Remembers which slots are dirty, for the path to write back.
    void snapshot(ColdPath &path);
    void note_host_flags(ColdPath &path);
    static void add_jump(ColdPath &path, u32 position) { path.jumps[path.jump_count++] = position; }
    /// The cold path that computes the current FP instruction by its thunk, into `result`.
    ColdPath &thunk_path(const Inst &inst, HostReg result);
    /// The operation by a call of its thunk, the state of all registers being preserved.
    void call_thunk(const Inst &inst, ValueId id);

    // --- where we are
    // ------------------------------------------------------------------------------
    [[nodiscard]] u32 retired() const { return ir::insn_index(insn_) + 1; }
    [[nodiscard]] u32 insn_mark() const {
        return ir::insn_page_offset(insn_) | ir::insn_index(insn_) << 16;
    }
    void set_insn(u64 imm) { insn_ = imm; }
    [[nodiscard]] ValueId current() const { return current_; }
    [[nodiscard]] std::size_t inst_count() const { return block_->insts.size(); }
    [[nodiscard]] ValueState &value(ValueId id) { return values_[id]; }

    /// Exits (emit_control.cpp).
    void emit_direct_exit(i64 target, u32 count);
    void emit_lookup_exit(u32 count);
    /// Arguments are in place, state is written back.
    void emit_helper_call(u64 imm, u32 insn);
    void emit_cold_path(const ColdPath &path);
    [[nodiscard]] const std::byte *stub_address(u32 offset) const;
    [[nodiscard]] const Runtime::Stubs &stubs() const { return *runtime_.stubs_; }
    void emit_links();
    /// Stores eax-packed or other dirty values (for cold paths and write-backs).
    void store_location(const DirtySlot &slot);
    void load_location(HostReg reg, const Location &location);
    void store_argument(unsigned index, const Location &location, ir::Type type);
    void store_imm(u64 imm);
    void load_result(HostReg reg, unsigned index, ir::Type type);

private:
    struct Slot {
        u64 offset = 0;
        ValueId value = kNoValue;
        u8 size = 0;
        View view = View::Full;
        bool is_dirty = false;
    };
    /// Slots beyond this offset are accessed directly, not cached.
    static constexpr u64 kCachedState = 16384;
    static constexpr u16 kNoSlot = 0xffff;

    void prepass();
    void reset(const ir::Block &block);
    void emit_body();

    HostReg allocate(bool is_vector);
    void evict(HostReg reg);
    void load(ValueId root, HostReg reg);
    void release(ValueId root);
    void maybe_dead(ValueId root);
    void free_register(HostReg reg) {
        reg_value_[static_cast<unsigned>(reg)] = kNoValue;
        occupied_ &= ~(1u << reg);
        weak_ &= ~(1u << reg);
    }
    void bind_register(ValueId root, HostReg reg) {
        reg_value_[static_cast<unsigned>(reg)] = root;
        occupied_ |= 1u << reg;
        weak_ &= ~(1u << reg);
        values_[root].reg = reg;
    }
    void drop_register(HostReg reg);
    void unbind_if_lost(ValueId root);
    void spill(ValueId root);
    [[nodiscard]] u16 take_spill_slot();
    /// The slot for an access of `size` bytes, conflicting ones written back and forgotten.
    u16 find_slot(u64 offset, unsigned size);
    void detach(u16 slot);
    void forget_slot(u16 slot);
    void write_back_slot(Slot &slot);
    [[nodiscard]] DirtySlot describe(const Slot &slot);
    void set_pinned(unsigned pinned, ValueId value);
    void get_pinned(ValueId id, unsigned pinned, unsigned size);

    const Runtime &runtime_;
    std::unique_ptr<struct EmitterTables> emitters_;
    std::span<const ir::Helper> helpers_;
    const ir::Block *block_ = nullptr;
    u64 owner_ = 0;
    Reach reach_;
    CompiledBlock *out_ = nullptr;

    std::vector<ValueState> values_;
    std::array<ValueId, 32> reg_value_{};
    u32 occupied_ = 0;    ///< registers with a value
    u32 weak_ = 0;        ///< of those: the value is kept only in case it is wanted again
    u32 locked_ = 0;      ///< not to be taken during the current instruction
    u32 held_ = 0;        ///< registers of checks_
    u32 busy_checks_ = 0; ///< those that the current instruction uses
    std::array<PageCheck, 2> checks_{};
    u32 next_victim_ = 0;
    bool consumed_ = false;

    std::vector<Slot> slots_;
    std::vector<u16> slot_index_; ///< by offset / 4
    std::array<u64, kSpillSlots / 64> spill_used_{};
    std::vector<u16> spills_to_free_;

    bool has_fp_ = false; ///< ensure_fp() has been emitted, and no helper called since

    ValueId host_flags_ = kNoValue;
    bool host_carry_inverted_ = false;
    bool host_has_comparison_ = false;
    bool keeps_host_flags_ = false;

    ValueId current_ = 0;
    u64 insn_ = 0;
    std::vector<ColdPath> cold_;
    std::vector<DirtySlot> dirty_;
    struct PendingStub {
        u32 exhausted; ///< position of the jump taken when the budget is used up
        u32 site;      ///< of the one that is linked
        i32 target;
    };
    std::vector<PendingStub> exit_stubs_;
};

/// Thrown (within compile() only) when a block has too many live values.
struct TooComplexError {};

/// The emitter of an operation; null if it has none in that file.
BlockCompiler::Emitter control_emitter(Opcode op);
BlockCompiler::Emitter integer_emitter(Opcode op, const HostFeatures &host);
BlockCompiler::Emitter flags_emitter(Opcode op);
BlockCompiler::Emitter memory_emitter(Opcode op, const HostFeatures &host);
BlockCompiler::Emitter fp_emitter(Opcode op, const HostFeatures &host);
BlockCompiler::Emitter vector_move_emitter(Opcode op);
BlockCompiler::Emitter vector_integer_emitter(Opcode op, const HostFeatures &host);
BlockCompiler::Emitter vector_shift_emitter(Opcode op, const HostFeatures &host);
BlockCompiler::Emitter vector_fp_emitter(Opcode op, const HostFeatures &host);
BlockCompiler::Emitter crypto_emitter(Opcode op, const HostFeatures &host);

} // namespace tandem::jit
