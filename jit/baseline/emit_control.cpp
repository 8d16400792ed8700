// State access, constants, calls, exits, and the host's flags.
#include "jit/baseline/block_compiler.h"
#include "support/check.h"

#include <cstddef>

namespace tandem::jit {
namespace {

using ir::Cond;
using ir::ExecContext;

#define CONTEXT(member) context(offsetof(ExecContext, member))

bool is_deferrable_flags(Opcode op) {
    switch (op) {
    case Opcode::AddFlags32:
    case Opcode::AddFlags64:
    case Opcode::SubFlags32:
    case Opcode::SubFlags64:
    case Opcode::LogicFlags32:
    case Opcode::LogicFlags64: return true;
    default: return false;
    }
}

} // namespace

// --- the host's flags
// -----------------------------------------------------------------------------

void BlockCompiler::pack_host_flags() {
    lahf();
    seto(al);
}

void BlockCompiler::normalise_carry() {
    if (!host_carry_inverted_) return;
    cmc();
    host_carry_inverted_ = false;
}

void BlockCompiler::flags_to_host(ValueId flags) {
    const ValueId r = root(flags);
    if (host_has_flags(r)) return;
    ValueState &v = values_[r];
    if (v.form == Form::Flags && v.reg == kNoReg) {
        const Inst &in = inst(r);
        switch (in.op) {
        case Opcode::SubFlags32:
        case Opcode::SubFlags64:
            alu(Alu::Cmp, use(in.args[0]), in.args[1], in.op == Opcode::SubFlags64);
            return set_host_flags(r, true);
        case Opcode::AddFlags32:
        case Opcode::AddFlags64: {
            const HostReg a = use(in.args[0]);
            if (!is_imm32(in.args[1], in.op == Opcode::AddFlags64)) use(in.args[1]);
            move(kRax, a);
            alu(Alu::Add, kRax, in.args[1], in.op == Opcode::AddFlags64);
            return set_host_flags(r, false);
        }
        default: {
            const HostReg a = use(in.args[0]);
            if (in.op == Opcode::LogicFlags64)
                test(Xbyak::Reg64(a), Xbyak::Reg64(a));
            else
                test(Xbyak::Reg32(a), Xbyak::Reg32(a));
            return set_host_flags(r, false);
        }
        }
    }
    if (v.form == Form::Constant)
        mov(eax, static_cast<u32>(v.payload));
    else if (v.reg == kNoReg)
        mov(eax, ptr[memory_location(v)]);
    else
        mov(eax, Xbyak::Reg32(v.reg));
    add(al, 0x7f); // overflows if V is set
    sahf();
    set_host_flags(r, false);
}

void BlockCompiler::define_carry(ValueId flags, bool is_inverted) {
    if (is_inverted) cmc();
    const HostReg r = def(flags);
    sbb(Xbyak::Reg32(r), Xbyak::Reg32(r)); // leaves the carry as it is
    set_host_flags(flags, false);
    keep_host_flags();
}

CC BlockCompiler::condition_of_flags(ValueId flags, Cond cond) {
    const ValueId r = root(flags);
    const ValueState &v = values_[r];
    const bool is_packed = !(v.form == Form::Flags && v.reg == kNoReg);
    if (cond == Cond::AL || cond == Cond::NV) {
        lose_host_flags();
        cmp(eax, eax);
        return CC::E;
    }
    if (host_flags_ == r && host_has_comparison_) {
        // What a single condition code says about unordered operands must be what the guest's says.
        switch (cond) {
        case Cond::GT: return CC::A;
        case Cond::GE: return CC::AE;
        case Cond::LT: return CC::B;
        case Cond::LE: return CC::BE;
        case Cond::VS: return CC::P;
        case Cond::VC: return CC::NP;
        default: lose_host_flags(); break;
        }
    }
    if (is_packed && !host_has_flags(r) && v.form != Form::Constant) {
        // One bit of a packed value needs no SAHF.
        const auto test_bit = [&](u32 mask, CC cc) {
            lose_host_flags();
            if (v.reg == kNoReg)
                test(dword[memory_location(v)], mask);
            else
                test(Xbyak::Reg32(v.reg), mask);
            return cc;
        };
        switch (cond) {
        case Cond::EQ: return test_bit(ir::kFlagZ, CC::NE);
        case Cond::NE: return test_bit(ir::kFlagZ, CC::E);
        case Cond::CS: return test_bit(ir::kFlagC, CC::NE);
        case Cond::CC: return test_bit(ir::kFlagC, CC::E);
        case Cond::MI: return test_bit(ir::kFlagN, CC::NE);
        case Cond::PL: return test_bit(ir::kFlagN, CC::E);
        case Cond::VS: return test_bit(ir::kFlagV, CC::NE);
        case Cond::VC: return test_bit(ir::kFlagV, CC::E);
        default: break;
        }
    }
    flags_to_host(flags);
    switch (cond) {
    case Cond::EQ: return CC::E;
    case Cond::NE: return CC::NE;
    case Cond::CS: return host_carry_inverted_ ? CC::AE : CC::B;
    case Cond::CC: return host_carry_inverted_ ? CC::B : CC::AE;
    case Cond::MI: return CC::S;
    case Cond::PL: return CC::NS;
    case Cond::VS: return CC::O;
    case Cond::VC: return CC::NO;
    case Cond::GE: return CC::GE;
    case Cond::LT: return CC::L;
    case Cond::GT: return CC::G;
    case Cond::LE: return CC::LE;
    case Cond::HI:
    case Cond::LS:
        // x86 has "above" only for a borrow.
        if (!host_carry_inverted_) {
            cmc();
            host_carry_inverted_ = true;
        }
        return cond == Cond::HI ? CC::A : CC::BE;
    default: return CC::E;
    }
}

CC BlockCompiler::condition(ValueId i1) {
    const ValueId r = root(i1);
    const ValueState &v = values_[r];
    const Inst &in = inst(r);
    if (v.form != Form::Condition || v.reg != kNoReg) {
        lose_host_flags();
        if (v.form == Form::Normal && v.reg == kNoReg) {
            cmp(dword[memory_location(v)], 0);
        } else {
            const Xbyak::Reg32 a = use32(r);
            test(a, a);
        }
        return CC::NE;
    }
    if (in.op == Opcode::CondHolds)
        return condition_of_flags(in.args[0], static_cast<Cond>(in.imm));
    if (in.op == Opcode::Not1) return negate(condition(in.args[0]));
    lose_host_flags();
    const auto test_zero = [&](bool is_64_bit, CC cc) {
        const Xbyak::Reg64 a = use64(in.args[0]);
        if (is_64_bit)
            test(a, a);
        else
            test(a.cvt32(), a.cvt32());
        return cc;
    };
    const auto compare = [&](CC cc) {
        alu(Alu::Cmp, use(in.args[0]), in.args[1], true);
        return cc;
    };
    switch (in.op) {
    case Opcode::IsZero32: return test_zero(false, CC::E);
    case Opcode::IsZero64: return test_zero(true, CC::E);
    case Opcode::IsNonZero32: return test_zero(false, CC::NE);
    case Opcode::IsNonZero64: return test_zero(true, CC::NE);
    case Opcode::TestBit64:
    case Opcode::TestBitClear64: {
        const bool is_set = in.op == Opcode::TestBit64;
        const Xbyak::Reg64 a = use64(in.args[0]);
        if (in.imm < 32) {
            test(a.cvt32(), 1u << in.imm);
            return is_set ? CC::NE : CC::E;
        }
        bt(a, static_cast<u8>(in.imm));
        return is_set ? CC::B : CC::AE;
    }
    case Opcode::Equal64: return compare(CC::E);
    case Opcode::LessUnsigned64: return compare(CC::B);
    case Opcode::LessSigned64: return compare(CC::L);
    case Opcode::And1:
    case Opcode::Or1: {
        const HostReg a = use(in.args[0]);
        const HostReg b = use(in.args[1]);
        lose_host_flags();
        mov(eax, Xbyak::Reg32(a));
        alu_reg(in.op == Opcode::And1 ? Alu::And : Alu::Or, kRax, b, false);
        return CC::NE;
    }
    default: CHECK(false); return CC::E;
    }
}

// --- exits
// -----------------------------------------------------------------------------------------

void BlockCompiler::emit_lookup_exit(u32 count) {
    // rax is the target. The entry of the jump cache is at va<16:2> * 32.
    static_assert(sizeof(ir::JumpCacheEntry) == 32);
    sub(r14, count);
    jump_to_stub(CC::S, stubs().exit_rax);
    mov(ecx, eax);
    and_(ecx, (ir::kJumpCacheEntries - 1) << 2);
    mov(rdx, ptr[CONTEXT(jump_cache)]);
    lea(rcx, ptr[rdx + rcx * 8]);
    cmp(ptr[rcx + offsetof(ir::JumpCacheEntry, va)], rax);
    jump_to_stub(CC::NE, stubs().exit_rax);
    mov(rdx, ptr[CONTEXT(exec_tag)]);
    cmp(ptr[rcx + offsetof(ir::JumpCacheEntry, tag)], rdx);
    jump_to_stub(CC::NE, stubs().exit_rax);
    and_(rax, -4096);
    mov(ptr[CONTEXT(pc_page)], rax);
    jmp(ptr[rcx + offsetof(ir::JumpCacheEntry, code)]);
}

void BlockCompiler::emit_direct_exit(i64 target, u32 count) {
    if (!reach_.contains(target)) {
        mov(rax, ptr[CONTEXT(pc_page)]);
        if (target == static_cast<i32>(target)) {
            add(rax, static_cast<i32>(target));
        } else {
            mov(rcx, static_cast<u64>(target));
            add(rax, rcx);
        }
        return emit_lookup_exit(count);
    }
    sub(r14, count);
    const u32 exhausted = jump(CC::S);
    if (const i64 page = target & ~i64{0xfff}; page != 0)
        add(qword[CONTEXT(pc_page)], static_cast<i32>(page));
    // The displacement of the jump must be aligned for patching.
    while (getSize() % 4 != 3) nop();
    const u32 site = jump();
    exit_stubs_.push_back({exhausted, site, static_cast<i32>(target)});
}

/// The stubs of this block's direct exits. Link numbers count them.
void BlockCompiler::emit_links() {
    if (exit_stubs_.empty()) return;
    std::vector<u32> to_tail;
    for (u32 link = 0; link < exit_stubs_.size(); ++link) {
        const PendingStub &stub = exit_stubs_[link];
        const u32 here = static_cast<u32>(getSize());
        bind(stub.site, here);
        out_->links.push_back({stub.site, here, stub.target});
        const i32 offset = stub.target & 0xfff;
        mov(eax, static_cast<u32>(offset));
        if (offset == stub.target) {
            bind(stub.exhausted, here);
        } else {
            // With a used-up budget pc_page is still this block's.
            const u32 to_link = jump();
            bind(stub.exhausted);
            mov(eax, static_cast<u32>(stub.target));
            bind(to_link);
        }
        mov(edx, link);
        if (link + 1 < exit_stubs_.size()) to_tail.push_back(jump());
    }
    for (const u32 position : to_tail) bind(position);
    mov(rcx, owner_);
    jmp(static_cast<const void *>(stub_address(stubs().exit_direct)), T_NEAR);
}

void BlockCompiler::emit_helper_call(u64 imm, u32 insn) {
    const ir::Helper &helper = helpers_[imm & 0xffff];
    move_constant(9, imm >> 16);
    if (!helper.accesses_state && !helper.may_exit) {
        // It computes with integers and looks at no state in registers: those are callee-saved.
        lea(rdi, ptr[rbp - ir::ExecContext::kContextBias]);
        mov(rax, reinterpret_cast<u64>(helper.function));
        call(rax);
        return;
    }
    if (helper.may_exit) mov(dword[frame(offsetof(Frame, insn))], insn);
    mov(rax, reinterpret_cast<u64>(helper.function));
    call_stub(stubs().helper[helper.may_exit ? 1 : 0]);
}

void BlockCompiler::emit_cold_path(const ColdPath &path) {
    for (unsigned i = 0; i < path.jump_count; ++i) bind(path.jumps[i]);
    bool are_flags_stored = false;
    if (path.host_has_flags) {
        // First of all, before anything changes them.
        if (path.carry_inverted) cmc();
        pack_host_flags();
        mov(dword[CONTEXT(flags)], eax);
        are_flags_stored = true;
    }
    for (u32 i = 0; i < path.dirty_count; ++i) {
        const DirtySlot &slot = dirty_[path.first_dirty + i];
        if (are_flags_stored && slot.offset == offsetof(ExecContext, flags)) continue;
        store_location(slot);
    }
    const ir::OpcodeInfo &row = ir::info(path.op);
    switch (path.kind) {
    case ColdKind::Exit:
        emit_direct_exit(static_cast<i64>(path.imm), (path.insn >> 16) + 1);
        return;
    case ColdKind::Dispatch:
        sub(r14, (path.insn >> 16) + 1);
        mov(rax, path.imm);
        add(rax, ptr[CONTEXT(pc_page)]);
        mov(ptr[CONTEXT(pc)], rax);
        jmp(static_cast<const void *>(stub_address(stubs().exit_pc_set)), T_NEAR);
        return;
    case ColdKind::Raise:
        for (const HostReg r : {kRsi, kRdx, kRcx, HostReg{8}}) mov(Xbyak::Reg32(r), 0);
        emit_helper_call(path.imm, path.insn);
        // The helper has left the block; one that fails to is treated as a resume at pc.
        sub(r14, (path.insn >> 16) + 1);
        jmp(static_cast<const void *>(stub_address(stubs().exit_pc_set)), T_NEAR);
        return;
    case ColdKind::LoadFp:
        ldmxcsr(dword[CONTEXT(mxcsr)]);
        mov(dword[frame(offsetof(Frame, fp_loaded))], 1);
        jmp(static_cast<const void *>(getCode() + path.resume), T_NEAR);
        return;
    case ColdKind::Memory:
    case ColdKind::Thunk: break;
    }
    for (unsigned a = 0; a < row.arg_count; ++a)
        if (path.args[a].kind != Location::Kind::None) store_argument(a, path.args[a], row.args[a]);
    if (path.address_offset != 0) add(qword[frame(offsetof(Frame, args))], path.address_offset);
    store_imm32(true, offsetof(Frame, opcode), static_cast<u32>(path.op), false);
    store_imm(path.imm);
    const bool is_memory = path.kind == ColdKind::Memory;
    if (is_memory) store_imm32(true, offsetof(Frame, insn), path.insn, false);
    call_stub((is_memory ? stubs().memory : stubs().thunk)[path.saves_xmm ? 1 : 0]);
    for (unsigned i = 0; i < path.results.size(); ++i)
        if (path.results[i] != kNoReg) load_result(path.results[i], i, row.result);
    if (path.failed_check != kNoReg) mov(Xbyak::Reg32(path.failed_check), 0);
    jmp(static_cast<const void *>(getCode() + path.resume), T_NEAR);
}

namespace {

// --- emitters
// ------------------------------------------------------------------------------------------

void nothing(BlockCompiler &c, const Inst &, ValueId) {
    c.keep_host_flags();
}

void insn(BlockCompiler &c, const Inst &in, ValueId) {
    c.set_insn(in.imm);
    c.keep_host_flags();
}

template <unsigned size>
void get_state(BlockCompiler &c, const Inst &in, ValueId id) {
    if (in.imm == offsetof(ExecContext, fpsr) && size == 4) {
        c.ensure_fp();
        // Flags still in mxcsr belong to it (IOC DZC OFC UFC IXC are x86's IE ZE OE UE PE).
        const Xbyak::Reg32 r = c.def32(id);
        c.stmxcsr(c.dword[c.frame(offsetof(Frame, imm))]);
        c.mov(r, c.dword[c.frame(offsetof(Frame, imm))]);
        c.mov(c.ecx, r);
        c.and_(r, 1);
        c.shr(c.ecx, 1);
        c.and_(c.ecx, 0x1e);
        c.or_(r, c.ecx);
        c.or_(r, c.dword[c.CONTEXT(fpsr)]);
        return;
    }
    c.get_state(id, in.imm, size);
}
template <unsigned size>
void set_state(BlockCompiler &c, const Inst &in, ValueId) {
    if (in.imm == offsetof(ExecContext, fpsr) && size == 4) {
        c.ensure_fp();
        const Xbyak::Reg32 r = c.use32(in.args[0]);
        c.mov(c.dword[c.CONTEXT(fpsr)], r);
        const auto mxcsr = c.dword[c.frame(offsetof(Frame, imm))];
        c.stmxcsr(mxcsr);
        c.and_(mxcsr, ~0x3fu);
        c.ldmxcsr(mxcsr);
        return;
    }
    c.set_state(in.imm, size, in.args[0]);
}

void set_flags(BlockCompiler &c, const Inst &in, ValueId) {
    const BlockCompiler::ValueState &v = c.state(in.args[0]);
    const bool is_deferred = v.form == BlockCompiler::Form::Flags && v.reg == kNoReg;
    c.set_state(in.imm, 4, in.args[0]);
    // Later blocks see these flags: store them now, while operands are at hand and the host's
    // flags may serve a following branch.
    if (is_deferred && v.is_stored_eagerly) {
        c.flags_to_host(in.args[0]);
        c.write_back_state(in.imm);
    }
    c.keep_host_flags();
}

void pc_relative(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xbyak::Reg64 r = c.def64(id);
    c.mov(r, c.ptr[c.CONTEXT(pc_page)]);
    const auto offset = static_cast<i64>(in.imm);
    if (offset == static_cast<i32>(offset)) {
        if (offset != 0) c.lea(r, c.ptr[r + static_cast<int>(offset)]);
    } else {
        c.mov(c.rax, in.imm);
        c.lea(r, c.ptr[r + c.rax]);
    }
    c.keep_host_flags();
}

void constant32(BlockCompiler &c, const Inst &in, ValueId id) {
    c.defer(id, BlockCompiler::Form::Constant, in.imm & 0xffffffff);
    c.value(id).has_zero_upper = true;
}
void constant64(BlockCompiler &c, const Inst &in, ValueId id) {
    c.defer(id, BlockCompiler::Form::Constant, in.imm);
    c.value(id).has_zero_upper = in.imm >> 32 == 0;
}

void defer_condition(BlockCompiler &c, const Inst &, ValueId id) {
    c.defer(id, BlockCompiler::Form::Condition);
}
void defer_flags(BlockCompiler &c, const Inst &in, ValueId id) {
    CHECK(is_deferrable_flags(in.op));
    c.defer(id, BlockCompiler::Form::Flags);
}

/// Moves call arguments to where the ABI wants them, all at once.
void place_arguments(BlockCompiler &c, std::span<const BlockCompiler::Location> args) {
    using Kind = BlockCompiler::Location::Kind;
    constexpr std::array<HostReg, 4> kTargets{kRsi, kRdx, kRcx, 8};
    std::array<BlockCompiler::Location, 4> pending{};
    unsigned left = 0;
    for (unsigned i = 0; i < args.size(); ++i) {
        pending[i] = args[i];
        if (pending[i].kind == Kind::Register && pending[i].reg == kTargets[i])
            pending[i].kind = Kind::None;
        if (pending[i].kind == Kind::Register) ++left;
    }
    while (left > 0) {
        bool has_moved = false;
        for (unsigned i = 0; i < args.size(); ++i) {
            if (pending[i].kind != Kind::Register) continue;
            bool is_blocked = false;
            for (unsigned j = 0; j < args.size(); ++j)
                is_blocked = is_blocked || (j != i && pending[j].kind == Kind::Register &&
                                            pending[j].reg == kTargets[i]);
            if (is_blocked) continue;
            c.move(kTargets[i], pending[i].reg);
            pending[i].kind = Kind::None;
            --left;
            has_moved = true;
        }
        if (has_moved) continue;
        // A cycle: one of its registers goes through rax.
        for (unsigned i = 0; i < args.size(); ++i) {
            if (pending[i].kind != Kind::Register) continue;
            const HostReg from = pending[i].reg;
            c.move(kRax, from);
            for (BlockCompiler::Location &p : pending)
                if (p.kind == Kind::Register && p.reg == from) p.reg = kRax;
            break;
        }
    }
    for (unsigned i = 0; i < args.size(); ++i)
        if (pending[i].kind != Kind::None) c.load_location(kTargets[i], pending[i]);
}

void call_helper(BlockCompiler &c, const Inst &in, ValueId id) {
    const unsigned count = ir::info(in.op).arg_count;
    std::array<BlockCompiler::Location, 4> args{};
    for (unsigned a = 0; a < count; ++a) {
        const auto form = c.state(in.args[a]).form;
        if (form != BlockCompiler::Form::Normal && form != BlockCompiler::Form::Constant)
            c.use(in.args[a]);
    }
    // Packs flags, which may take registers: before anything is located.
    c.write_back();
    for (unsigned a = 0; a < count; ++a) {
        args[a] = c.locate(in.args[a]);
        // An argument the state holds with 64 bits and more in its upper half cannot occur: all
        // arguments are I64.
    }
    c.consume();
    c.prepare_call();
    place_arguments(c, std::span(args).first(count));
    c.emit_helper_call(in.imm, c.insn_mark());
    c.forget_fp();
    if (c.value(id).uses > 0) {
        c.unlock();
        c.move(c.def(id), kRax);
    }
}

void exit_if(BlockCompiler &c, const Inst &in, ValueId) {
    const CC cc = c.condition(in.args[0]);
    const auto kind = in.op == Opcode::ExitIf       ? BlockCompiler::ColdKind::Exit
                      : in.op == Opcode::DispatchIf ? BlockCompiler::ColdKind::Dispatch
                                                    : BlockCompiler::ColdKind::Raise;
    BlockCompiler::ColdPath &path = c.cold_path(kind);
    path.imm = in.imm;
    c.snapshot(path);
    c.note_host_flags(path);
    BlockCompiler::add_jump(path, c.jump(cc));
    c.keep_host_flags();
}

void exit(BlockCompiler &c, const Inst &in, ValueId) {
    c.write_back();
    c.emit_direct_exit(static_cast<i64>(in.imm), c.retired());
}

void exit_indirect(BlockCompiler &c, const Inst &in, ValueId) {
    const HostReg target = c.use(in.args[0]);
    c.write_back();
    // Writing back deferred flags needs rax.
    c.move(kRax, target);
    c.emit_lookup_exit(c.retired());
}

void exit_dispatch(BlockCompiler &c, const Inst &, ValueId) {
    c.write_back();
    c.sub(c.r14, c.retired());
    c.jmp(static_cast<const void *>(c.stub_address(c.stubs().exit_pc_set)), BlockCompiler::T_NEAR);
}

void fence(BlockCompiler &c, const Inst &in, ValueId) {
    if (static_cast<ir::FenceKind>(in.imm) == ir::FenceKind::Full) {
        // A locked operation on the stack orders as MFENCE does, and faster.
        c.lock();
        c.or_(c.dword[c.rsp], 0);
    } else {
        c.keep_host_flags();
    }
}

} // namespace

/// For a path taken right now: are the flags it has to store in the host's flags?
void BlockCompiler::note_host_flags(ColdPath &path) {
    for (const Slot &slot : slots_) {
        if (!slot.is_dirty || slot.offset != offsetof(ExecContext, flags)) continue;
        path.host_has_flags = host_has_flags(slot.value);
        path.carry_inverted = host_carry_inverted_;
    }
}

BlockCompiler::Emitter control_emitter(Opcode op) {
    switch (op) {
    case Opcode::Nop:
    case Opcode::PushReturn:
    case Opcode::Second:
    case Opcode::SecondF32:
    case Opcode::SecondF64:
    case Opcode::SecondV128: return nothing;
    case Opcode::Insn: return insn;
    case Opcode::GetStateF16: return get_state<2>;
    case Opcode::GetState32:
    case Opcode::GetStateF32:
    case Opcode::GetFlags: return get_state<4>;
    case Opcode::GetState64:
    case Opcode::GetStateF64: return get_state<8>;
    case Opcode::GetStateV128: return get_state<16>;
    case Opcode::SetState32: return set_state<4>;
    case Opcode::SetState64: return set_state<8>;
    case Opcode::SetStateV128: return set_state<16>;
    case Opcode::SetFlags: return set_flags;
    case Opcode::PcRelative: return pc_relative;
    case Opcode::Const32:
    case Opcode::ConstFlags: return constant32;
    case Opcode::Const64: return constant64;
    case Opcode::CondHolds:
    case Opcode::IsZero32:
    case Opcode::IsZero64:
    case Opcode::IsNonZero32:
    case Opcode::IsNonZero64:
    case Opcode::TestBit64:
    case Opcode::TestBitClear64:
    case Opcode::Equal64:
    case Opcode::LessUnsigned64:
    case Opcode::LessSigned64:
    case Opcode::And1:
    case Opcode::Or1:
    case Opcode::Not1: return defer_condition;
    case Opcode::AddFlags32:
    case Opcode::AddFlags64:
    case Opcode::SubFlags32:
    case Opcode::SubFlags64:
    case Opcode::LogicFlags32:
    case Opcode::LogicFlags64: return defer_flags;
    case Opcode::Call0:
    case Opcode::Call1:
    case Opcode::Call2:
    case Opcode::Call3:
    case Opcode::Call4: return call_helper;
    case Opcode::ExitIf:
    case Opcode::DispatchIf:
    case Opcode::RaiseIf: return exit_if;
    case Opcode::Exit: return exit;
    case Opcode::ExitIndirect: return exit_indirect;
    case Opcode::ExitDispatch: return exit_dispatch;
    case Opcode::Fence: return fence;
    default: return nullptr;
    }
}

} // namespace tandem::jit
