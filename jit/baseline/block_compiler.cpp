#include "jit/baseline/block_compiler.h"

#include "ir/semantics/thunk.h"
#include "jit/baseline/runtime.h"
#include "support/check.h"

#include <bit>
#include <cstring>

namespace tandem::jit {
namespace {

using ir::OpClass;
using ir::Type;

constexpr bool is_vector_type(Type type) {
    return type == Type::F16 || type == Type::F32 || type == Type::F64 || type == Type::V128;
}

/// Index into kPinned of a 64-bit state slot, or -1.
i8 pinned_slot(u64 offset) {
    for (unsigned i = 0; i < kPinned.size(); ++i)
        if (kPinned[i].state_offset == offset) return static_cast<i8>(i);
    return -1;
}

using EmitterTable = std::array<BlockCompiler::Emitter, ir::kOpcodeCount>;

void call_the_thunk(BlockCompiler &c, const Inst &inst, ValueId id) {
    c.call_thunk(inst, id);
}

EmitterTable make_table(const HostFeatures &host) {
    EmitterTable table{};
    for (unsigned i = 0; i < ir::kOpcodeCount; ++i) {
        const auto op = static_cast<Opcode>(i);
        auto &emit = table[i];
        emit = control_emitter(op);
        if (emit == nullptr) emit = integer_emitter(op, host);
        if (emit == nullptr) emit = flags_emitter(op);
        if (emit == nullptr) emit = memory_emitter(op, host);
        if (emit == nullptr) emit = fp_emitter(op, host);
        if (emit == nullptr) emit = vector_move_emitter(op);
        if (emit == nullptr) emit = vector_integer_emitter(op, host);
        if (emit == nullptr) emit = vector_shift_emitter(op, host);
        if (emit == nullptr) emit = vector_fp_emitter(op, host);
        if (emit == nullptr) emit = crypto_emitter(op, host);
        if (emit != nullptr) continue;
        const OpClass op_class = ir::info(op).op_class;
        CHECK(op_class == OpClass::Pure || op_class == OpClass::Fp);
        emit = call_the_thunk;
    }
    return table;
}

/// What each opcode needs in the backward pass, from its row of the table.
struct OpTraits {
    bool is_pure = false;
    bool is_barrier = false; ///< state must be exact: an exception or an exit may come here
    bool has_vector_result = false;
    bool is_fp = false;
    bool takes_carry = false; ///< of the flags that are its third argument, nothing else
    u8 arg_count = 0;
};
const std::array<OpTraits, ir::kOpcodeCount> &op_traits() {
    static const auto traits = [] {
        std::array<OpTraits, ir::kOpcodeCount> table{};
        for (unsigned i = 0; i < ir::kOpcodeCount; ++i) {
            const ir::OpcodeInfo &row = ir::info(static_cast<Opcode>(i));
            OpTraits &t = table[i];
            t.is_pure = row.op_class == OpClass::Pure ||
                        (row.op_class == OpClass::State && row.result != Type::Void);
            t.is_barrier = row.op_class == OpClass::Memory || row.op_class == OpClass::Call ||
                           row.op_class == OpClass::Exit;
            t.is_fp = row.op_class == OpClass::Fp;
            t.has_vector_result = is_vector_type(row.result);
            t.arg_count = row.arg_count;
        }
        for (const Opcode op :
             {Opcode::Adc32, Opcode::Adc64, Opcode::Sbc32, Opcode::Sbc64, Opcode::AdcFlags32,
              Opcode::AdcFlags64, Opcode::SbcFlags32, Opcode::SbcFlags64})
            table[static_cast<unsigned>(op)].takes_carry = true;
        return table;
    }();
    return traits;
}

bool is_address_of_memory_op(Opcode op, unsigned arg) {
    return arg == 0 && op >= Opcode::Load8 && op <= Opcode::StoreExclusive128;
}
bool is_zero_extending_move(Opcode op) {
    return op == Opcode::VFromF16 || op == Opcode::VFromF32 || op == Opcode::VFromF64;
}

} // namespace

struct EmitterTables {
    EmitterTable table;
};

BlockCompiler::BlockCompiler(const Runtime &runtime, std::span<const ir::Helper> helpers)
    : Xbyak::CodeGenerator(runtime.window_.size, runtime.window_.writable), runtime_(runtime),
      emitters_(std::make_unique<EmitterTables>(make_table(runtime.features()))),
      helpers_(helpers) {
    slot_index_.assign(kCachedState / 4, kNoSlot);
}

BlockCompiler::~BlockCompiler() = default;

const std::byte *BlockCompiler::stub_address(u32 offset) const {
    // Blocks and stubs are written at equal distances from where they run.
    return runtime_.window_.writable + offset;
}

void BlockCompiler::reset(const ir::Block &block) {
    block_ = &block;
    for (const Slot &slot : slots_) {
        const unsigned units = slot.size < 4 ? 1 : slot.size / 4u;
        for (unsigned i = 0; i < std::max(units, 4u); ++i)
            slot_index_[std::min<u64>(slot.offset / 4 + i, slot_index_.size() - 1)] = kNoSlot;
    }
    slots_.clear();
    values_.assign(block.insts.size(), ValueState{});
    reg_value_.fill(kNoValue);
    occupied_ = weak_ = locked_ = held_ = busy_checks_ = 0;
    checks_ = {};
    spill_used_.fill(0);
    spills_to_free_.clear();
    host_flags_ = kNoValue;
    cold_.clear();
    dirty_.clear();
    exit_stubs_.clear();
    insn_ = 0;
    has_fp_ = false;
}

/// Backward: counts uses, marks dead values, finds values to compute into pinned registers, and
/// decides which flags are worth storing at once.
void BlockCompiler::prepass() {
    const auto &traits = op_traits();
    std::array<ValueId, kPinned.size()> next_set{};
    next_set.fill(kNoValue);
    bool flags_are_live = true;
    for (std::size_t i = block_->insts.size(); i-- > 0;) {
        const Inst &in = block_->insts[i];
        const OpTraits &t = traits[static_cast<unsigned>(in.op)];
        ValueState &v = values_[i];
        v.root = static_cast<ValueId>(i);
        v.is_vector = t.has_vector_result;
        if (in.op == Opcode::Nop || (t.is_pure && v.uses == 0)) {
            v.is_dead = true;
            continue;
        }
        if (v.hint >= 0 && next_set[static_cast<unsigned>(v.hint)] != i) v.hint = -1;
        if (v.hint >= 0 && in.op == Opcode::ZeroExtend32) {
            next_set[static_cast<unsigned>(v.hint)] = in.args[0];
            values_[in.args[0]].hint = v.hint;
        }
        if (t.is_barrier) next_set.fill(kNoValue);
        switch (in.op) {
        case Opcode::SetState64:
            if (const i8 p = pinned_slot(in.imm); p >= 0) {
                next_set[static_cast<unsigned>(p)] = in.args[0];
                values_[in.args[0]].hint = p;
            }
            break;
        case Opcode::GetState64:
        case Opcode::GetState32:
            if (const i8 p = pinned_slot(in.imm); p >= 0)
                next_set[static_cast<unsigned>(p)] = kNoValue;
            break;
        case Opcode::SetFlags:
            values_[in.args[0]].is_stored_eagerly = flags_are_live;
            flags_are_live = false;
            break;
        case Opcode::GetFlags: flags_are_live = true; break;
        case Opcode::Exit:
        case Opcode::ExitIndirect:
        case Opcode::ExitDispatch:
        case Opcode::Call0:
        case Opcode::Call1:
        case Opcode::Call2:
        case Opcode::Call3:
        case Opcode::Call4: flags_are_live = true; break;
        default: break;
        }
        for (unsigned a = 0; a < t.arg_count; ++a) {
            ValueState &arg = values_[in.args[a]];
            ++arg.uses;
            arg.needs_all_flags = arg.needs_all_flags || !t.takes_carry;
            if (is_address_of_memory_op(in.op, a)) ++arg.payload;
            if (in.op == Opcode::SetStateV128) ++arg.payload;
        }
        if (in.op == Opcode::Add64)
            for (unsigned a = 0; a < 2; ++a) values_[in.args[a]].is_index = true;
        if (in.op == Opcode::Shl64) v.is_index = v.is_index && v.uses == 1;
        // Only the operand's low bits count in a zero-extending move that goes to state alone.
        if (is_zero_extending_move(in.op) && v.payload == v.uses) {
            v.view = in.op == Opcode::VFromF64   ? View::Zero64
                     : in.op == Opcode::VFromF32 ? View::Zero32
                                                 : View::Zero16;
        }
        v.can_fold_address =
            (in.op == Opcode::Add64 || in.op == Opcode::Sub64) && v.payload == v.uses;
    }
}

CompileResult BlockCompiler::compile(const ir::Block &block, u64 owner, Reach reach,
                                     CodeWindow window, CompiledBlock &out) {
    // Xbyak writes wherever its buffer is.
    top_ = reinterpret_cast<uint8_t *>(window.writable);
    maxSize_ = window.size;
    size_ = 0;
    owner_ = owner;
    reach_ = reach;
    out_ = &out;
    out.links.clear();
    try {
        reset(block);
        prepass();
        emit_body();
        // Emitting a cold path may not add others.
        for (std::size_t i = 0; i < cold_.size(); ++i) emit_cold_path(cold_[i]);
        emit_links();
    } catch (const Xbyak::Error &error) {
        CHECK(static_cast<int>(error) == Xbyak::ERR_CODE_IS_TOO_BIG);
        return CompileResult::WindowFull;
    } catch (const TooComplexError &) {
        return CompileResult::TooComplex;
    }
    out.size = static_cast<u32>(getSize());
    return CompileResult::Done;
}

void BlockCompiler::emit_body() {
    const auto &traits = op_traits();
    const std::size_t count = block_->insts.size();
    for (std::size_t i = 0; i < count; ++i) {
        const Inst &in = block_->insts[i];
        ValueState &v = values_[i];
        if (v.is_dead) continue;
        current_ = static_cast<ValueId>(i);
        locked_ = busy_checks_ = 0;
        consumed_ = false;
        keeps_host_flags_ = false;
        v.payload = 0;
        const Emitter emit = emitters_->table[static_cast<unsigned>(in.op)];
        if (traits[static_cast<unsigned>(in.op)].is_fp && emit != call_the_thunk) ensure_fp();
        emit(*this, in, current_);
        consume();
        for (PageCheck &check : checks_)
            if (check.reg != kNoReg && check.has_ended) end_check(check);
        if (v.uses == 0 && v.root == i) maybe_dead(static_cast<ValueId>(i));
        if (!keeps_host_flags_) host_flags_ = kNoValue;
        for (const u16 spill : spills_to_free_)
            spill_used_[(spill - 1u) / 64] &= ~(u64{1} << (spill - 1u) % 64);
        spills_to_free_.clear();
    }
}

void BlockCompiler::ensure_fp() {
    if (has_fp_) return;
    has_fp_ = true;
    lose_host_flags();
    cmp(dword[frame(offsetof(Frame, fp_loaded))], 0);
    ColdPath &path = cold_path(ColdKind::LoadFp);
    add_jump(path, jump(CC::E));
    path.resume = static_cast<u32>(getSize());
}

BlockCompiler::ColdPath &BlockCompiler::cold_path(ColdKind kind) {
    ColdPath &path = cold_.emplace_back();
    path.kind = kind;
    path.insn = insn_mark();
    path.saves_xmm = (occupied_ & kXmmPool) != 0;
    return path;
}

/// Makes an argument slot of the frame hold a value, zero-extended to 64 bits at least.
void BlockCompiler::store_argument(unsigned index, const Location &where, ir::Type type) {
    const Xbyak::RegExp to = frame(offsetof(Frame, args) + index * 16);
    const bool is_vector = is_vector_type(type);
    if (is_vector) {
        Xbyak::Xmm x(kScratchXmm0);
        if (where.kind == Location::Kind::Register)
            x = Xbyak::Xmm(where.reg - kFirstXmm);
        else
            load_location(static_cast<HostReg>(kFirstXmm + kScratchXmm0), where);
        switch (type) {
        case ir::Type::V128: movaps(ptr[to], x); break;
        case ir::Type::F64: movsd(ptr[to], x); break;
        case ir::Type::F32:
            movd(eax, x);
            mov(ptr[to], rax);
            break;
        default:
            pextrw(eax, x, 0);
            mov(ptr[to], rax);
            break;
        }
        return;
    }
    const auto slot = static_cast<i32>(offsetof(Frame, args) + index * 16);
    if (where.kind == Location::Kind::Register && type == ir::Type::I64)
        return move_memory(Direction::Store, where.reg, true, slot, true);
    if (where.kind == Location::Kind::Register)
        mov(eax, Xbyak::Reg32(where.reg));
    else
        load_location(kRax, where);
    if (type == ir::Type::Flags) and_(eax, ir::kFlagMask);
    if (type == ir::Type::I32) mov(eax, eax);
    move_memory(Direction::Store, kRax, true, slot, true);
}

void BlockCompiler::store_imm(u64 imm) {
    const auto slot = static_cast<i32>(offsetof(Frame, imm));
    if (static_cast<i64>(imm) == static_cast<i32>(imm))
        return store_imm32(true, slot, static_cast<u32>(imm), true);
    mov(rax, imm);
    move_memory(Direction::Store, kRax, true, slot, true);
}

void BlockCompiler::load_result(HostReg reg, unsigned index, ir::Type type) {
    const auto slot = static_cast<i32>(offsetof(Frame, result) + index * 16);
    switch (type) {
    case ir::Type::I64: move_memory(Direction::Load, reg, true, slot, true); break;
    case ir::Type::I1:
    case ir::Type::I32:
    case ir::Type::Flags: move_memory(Direction::Load, reg, true, slot, false); break;
    default: movaps(Xbyak::Xmm(reg - kFirstXmm), ptr[rsp + slot]); break;
    }
}

void BlockCompiler::call_thunk(const Inst &in, ValueId id) {
    const ir::OpcodeInfo &row = ir::info(in.op);
    // Deferred arguments become real ones; that may move others, so locate them all afterwards.
    for (unsigned a = 0; a < row.arg_count; ++a) {
        const Form form = state(in.args[a]).form;
        if (form != Form::Normal && form != Form::Constant) use(in.args[a]);
    }
    for (unsigned a = 0; a < row.arg_count; ++a) store_argument(a, locate(in.args[a]), row.args[a]);
    consume();
    mov(dword[frame(offsetof(Frame, opcode))], static_cast<u32>(in.op));
    store_imm(in.imm);
    const bool saves_xmm = (occupied_ & ~weak_ & kXmmPool) != 0;
    // Without saving, what is cached in xmm registers is lost.
    if (!saves_xmm) {
        for (u32 rest = occupied_ & kXmmPool; rest != 0; rest &= rest - 1) {
            drop_register(static_cast<HostReg>(std::countr_zero(rest)));
        }
    }
    call_stub(stubs().thunk[saves_xmm ? 1 : 0]);
    unlock();
    const HostReg result = def(id);
    load_result(result, 0, row.result);
    values_[id].has_zero_upper = row.result != ir::Type::I64;
}

BlockCompiler::ColdPath &BlockCompiler::thunk_path(const Inst &in, HostReg result) {
    ColdPath &path = cold_path(ColdKind::Thunk);
    const ir::OpcodeInfo &row = ir::info(in.op);
    path.op = in.op;
    path.imm = in.imm;
    for (unsigned a = 0; a < row.arg_count; ++a) path.args[a] = locate(in.args[a]);
    path.results[0] = result;
    path.saves_xmm = (occupied_ & kXmmPool) != 0;
    return path;
}

// --- code helpers
// ---------------------------------------------------------------------------------

void BlockCompiler::append_code(u64 bytes, unsigned count) {
    if (size_ + sizeof bytes > maxSize_) throw Xbyak::Error(Xbyak::ERR_CODE_IS_TOO_BIG);
    std::memcpy(top_ + size_, &bytes, sizeof bytes);
    size_ += count;
}

namespace {

/// Up to 8 bytes of code in the making.
class Bytes {
public:
    void add(unsigned byte) {
        bytes_ |= u64{byte & 0xff} << (8 * count_);
        ++count_;
    }
    void add32(u32 value) {
        bytes_ |= u64{value} << (8 * count_);
        count_ += 4;
    }
    void add_rex(bool is_64_bit, HostReg reg, HostReg rm) {
        const unsigned bits = (is_64_bit ? 8u : 0u) | (reg >= 8 ? 4u : 0u) | (rm >= 8 ? 1u : 0u);
        if (bits != 0) add(0x40 | bits);
    }
    /// ModRM and the rest of an operand at a displacement from rsp or rbp.
    void add_memory(HostReg reg, bool on_stack, i32 displacement) {
        const bool is_short = displacement == static_cast<i8>(displacement);
        add((is_short ? 0x40u : 0x80u) | (static_cast<unsigned>(reg) & 7) << 3 |
            (on_stack ? 4 : 5));
        if (on_stack) add(0x24);
        if (is_short)
            add(static_cast<u8>(displacement));
        else
            add32(static_cast<u32>(displacement));
    }
    void add_registers(HostReg reg, HostReg rm) {
        add(0xc0 | (static_cast<unsigned>(reg) & 7) << 3 | (static_cast<unsigned>(rm) & 7));
    }
    void append_to(BlockCompiler &c) const { c.append_code(bytes_, count_); }

private:
    u64 bytes_ = 0;
    unsigned count_ = 0;
};

} // namespace

void BlockCompiler::move_memory(Direction direction, HostReg reg, bool on_stack, i32 displacement,
                                bool is_64_bit) {
    Bytes code;
    code.add_rex(is_64_bit, reg, 0);
    code.add(direction == Direction::Load ? 0x8b : 0x89);
    code.add_memory(reg, on_stack, displacement);
    code.append_to(*this);
}

void BlockCompiler::store_imm32(bool on_stack, i32 displacement, u32 value, bool is_64_bit) {
    Bytes code;
    code.add_rex(is_64_bit, 0, 0);
    code.add(0xc7);
    code.add_memory(0, on_stack, displacement);
    code.append_to(*this);
    append_code(value, 4);
}

void BlockCompiler::move_constant(HostReg reg, u64 value) {
    // Not XOR for zero: the host's flags may be in use.
    if (value >> 32 != 0) return mov(Xbyak::Reg64(reg), value);
    Bytes code;
    code.add_rex(false, 0, reg);
    code.add(0xb8 | (static_cast<unsigned>(reg) & 7));
    code.add32(static_cast<u32>(value));
    code.append_to(*this);
}

void BlockCompiler::move(HostReg to, HostReg from) {
    if (to == from) return;
    if (to >= kFirstXmm) return movaps(Xbyak::Xmm(to - kFirstXmm), Xbyak::Xmm(from - kFirstXmm));
    Bytes code;
    code.add_rex(true, from, to);
    code.add(0x89);
    code.add_registers(from, to);
    code.append_to(*this);
}

void BlockCompiler::alu_reg(Alu op, HostReg a, HostReg b, bool is_64_bit) {
    Bytes code;
    code.add_rex(is_64_bit, b, a);
    code.add(static_cast<unsigned>(op) * 8 + 1);
    code.add_registers(b, a);
    code.append_to(*this);
}

void BlockCompiler::alu_imm(Alu op, HostReg a, i32 imm, bool is_64_bit) {
    const bool is_short = imm == static_cast<i8>(imm);
    Bytes code;
    code.add_rex(is_64_bit, 0, a);
    code.add(is_short ? 0x83 : 0x81);
    code.add_registers(static_cast<HostReg>(op), a);
    if (is_short)
        code.add(static_cast<u8>(imm));
    else
        code.add32(static_cast<u32>(imm));
    code.append_to(*this);
}

BlockCompiler::Operand BlockCompiler::operand(ValueId id, bool is_64_bit) {
    if (is_imm32(id, is_64_bit)) return {.is_imm = true, .imm = imm32(id)};
    if (is_memory_operand(id, is_64_bit)) return {.memory = memory_location(state(id))};
    return {.reg = use(id)};
}

void BlockCompiler::alu(Alu op, HostReg a, const Operand &b, bool is_64_bit) {
    if (b.is_imm) return alu_imm(op, a, b.imm, is_64_bit);
    if (b.reg != kNoReg) return alu_reg(op, a, b.reg, is_64_bit);
    const Xbyak::Reg r = is_64_bit ? static_cast<Xbyak::Reg>(Xbyak::Reg64(a))
                                   : static_cast<Xbyak::Reg>(Xbyak::Reg32(a));
    switch (op) {
    case Alu::Add: return add(r, ptr[b.memory]);
    case Alu::Or: return or_(r, ptr[b.memory]);
    case Alu::Adc: return adc(r, ptr[b.memory]);
    case Alu::Sbb: return sbb(r, ptr[b.memory]);
    case Alu::And: return and_(r, ptr[b.memory]);
    case Alu::Sub: return sub(r, ptr[b.memory]);
    case Alu::Xor: return xor_(r, ptr[b.memory]);
    case Alu::Cmp: return cmp(r, ptr[b.memory]);
    }
}

void BlockCompiler::setcc(CC cc, HostReg reg) {
    db(0x40 | (reg >= 8 ? 1 : 0));
    db(0x0f);
    db(0x90 | static_cast<int>(cc));
    db(0xc0 | (reg & 7));
}

void BlockCompiler::cmov(CC cc, HostReg a, HostReg b, bool is_64_bit) {
    db(0x40 | (is_64_bit ? 8 : 0) | (a >= 8 ? 4 : 0) | (b >= 8 ? 1 : 0));
    db(0x0f);
    db(0x40 | static_cast<int>(cc));
    db(0xc0 | (a & 7) << 3 | (b & 7));
}

u32 BlockCompiler::jump(CC cc) {
    append_code(0x800f | u64{static_cast<u8>(cc)} << 8, 6);
    return static_cast<u32>(getSize()) - 4;
}

u32 BlockCompiler::jump() {
    append_code(0xe9, 5);
    return static_cast<u32>(getSize()) - 4;
}

void BlockCompiler::bind(u32 jump_position, u32 target) {
    const u32 distance = target - (jump_position + 4);
    std::memcpy(top_ + jump_position, &distance, sizeof distance);
}

void BlockCompiler::jump_to_stub(CC cc, u32 offset) {
    const u32 position = jump(cc);
    const auto distance =
        reinterpret_cast<const uint8_t *>(stub_address(offset)) - (top_ + position + 4);
    rewrite(position, static_cast<u64>(distance) & 0xffffffff, 4);
}

// --- public face
// -------------------------------------------------------------------------------------

Compiler::Compiler(const Runtime &runtime, std::span<const ir::Helper> helpers)
    : impl_(std::make_unique<BlockCompiler>(runtime, helpers)) {}
Compiler::~Compiler() = default;

CompileResult Compiler::compile(const ir::Block &block, u64 owner, Reach reach, CodeWindow window,
                                CompiledBlock &out) {
    return impl_->compile(block, owner, reach, window, out);
}

} // namespace tandem::jit
