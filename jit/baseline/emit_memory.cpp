// Guest memory: the softmmu TLB is looked up inline, all else is out of line.
#include "jit/baseline/block_compiler.h"
#include "support/check.h"

#include <cstddef>

namespace tandem::jit {
namespace {

using ir::Alignment;
using ir::AtomicKind;
using ir::ExecContext;
using ir::MemoryOp;
using ir::TlbEntry;
using Xbyak::Reg32;
using Xbyak::Reg64;
using Xbyak::Xmm;
using Form = BlockCompiler::Form;

/// A guest address: a register and what to add to it.
struct GuestAddress {
    HostReg base;
    i32 offset;
};

GuestAddress use_address(BlockCompiler &c, ValueId address) {
    const BlockCompiler::ValueState &v = c.state(address);
    if (v.form == Form::Address && v.reg == kNoReg) {
        const ValueId base = c.inst(c.root(address)).args[0];
        return {c.use(base), static_cast<i32>(v.payload)};
    }
    return {c.use(address), 0};
}

/// A lookup of the TLB: which condition of the host's flags is a miss, and where the addend is or,
/// after a look at the TLB entry in rax, goes.
struct TagCheck {
    CC miss = CC::NE;
    HostReg addend = kRcx;
    bool is_done = false; ///< an earlier access has put the addend there
};

/// Emits the comparison of an access of bytes [first, end) from the base.
void emit_comparison(BlockCompiler &c, HostReg base_register, i32 first, i32 end, bool is_aligned,
                     MemoryOp op, bool is_write) {
    static_assert(sizeof(TlbEntry) == 32);
    const Reg64 base(base_register);
    if (first == 0)
        c.mov(c.eax, base.cvt32());
    else
        c.lea(c.eax, c.ptr[base + first]);
    c.shr(c.eax, 7);
    c.and_(c.eax, (ir::kTlbEntries - 1) << 5);
    const u64 table = offsetof(ExecContext, tlb) + static_cast<unsigned>(op.regime) * 8;
    c.add(c.rax, c.ptr[c.context(table)]);
    // The tag must equal the page of the last byte: this catches accesses that cross into another
    // page. If alignment matters, low bits of the first byte must be clear instead.
    const i32 last = is_aligned ? first : end - 1;
    if (last == 0)
        c.mov(c.rcx, base);
    else
        c.lea(c.rcx, c.ptr[base + last]);
    const i32 mask = is_aligned ? ~0xfff | (end - first - 1) : ~0xfff;
    c.and_(c.rcx, mask);
    c.cmp(c.rcx,
          c.ptr[c.rax + (is_write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag))]);
}

/// Does the check serve these bytes?
bool serves(const BlockCompiler::PageCheck &check, const ir::AccessAddress &address, unsigned bytes,
            MemoryOp op) {
    return check.reg != kNoReg && check.base == address.base && check.regime == op.regime &&
           address.offset >= check.low && address.offset + i64{bytes} <= check.high;
}

/// Of the access `in` to `bytes` bytes at `address`. The pass has found accesses that can share a
/// check (ir/passes/share_checks.cpp): they do if a register can be spared for it.
TagCheck emit_tag_check(BlockCompiler &c, const Inst &in, const GuestAddress &address,
                        unsigned bytes, bool is_write) {
    const MemoryOp op = MemoryOp::unpack(in.imm);
    const i32 first = address.offset, end = address.offset + static_cast<i32>(bytes);
    BlockCompiler::PageCheck &check = c.page_check(is_write);
    if (op.alignment == Alignment::Any && (op.leads_check || check.reg != kNoReg)) {
        const ir::AccessAddress shared = c.address_of(in.args[0]);
        if (serves(check, shared, bytes, op)) {
            if (op.ends_check) check.has_ended = true;
            c.use_check(is_write);
            c.test(Reg64(check.reg), Reg64(check.reg));
            return {CC::E, check.reg, true};
        }
        if (op.leads_check && check.reg == kNoReg && c.begin_check(is_write)) {
            check.base = shared.base;
            check.low = shared.offset - op.check_before;
            check.high = shared.offset + bytes + op.check_after;
            check.regime = op.regime;
            emit_comparison(c, address.base, first - op.check_before, end + op.check_after, false,
                            op, is_write);
            return {CC::NE, check.reg, false};
        }
    }
    const bool is_aligned = op.alignment != Alignment::Any || bytes == 1;
    emit_comparison(c, address.base, first, end, is_aligned, op, is_write);
    return {};
}

/// Where the arguments are before the result may take one's register.
struct Arguments {
    std::array<BlockCompiler::Location, 4> locations{};
    i32 offset = 0;
};
Arguments locate_arguments(BlockCompiler &c, const Inst &in) {
    Arguments result;
    const unsigned count = ir::info(in.op).arg_count;
    for (unsigned a = 0; a < count; ++a) {
        const BlockCompiler::ValueState &v = c.state(in.args[a]);
        if (a == 0 && v.form == Form::Address && v.reg == kNoReg) {
            result.locations[a] = c.locate(c.inst(c.root(in.args[a])).args[0]);
            result.offset = static_cast<i32>(v.payload);
        } else {
            result.locations[a] = c.locate(in.args[a]);
        }
    }
    return result;
}

/// Leaves the hot path at `jump`. From here to resume_here() nothing may be emitted that a path out
/// of line must not miss: registers are allocated before.
std::size_t leave(BlockCompiler &c, const Inst &in, const Arguments &arguments, u32 jump) {
    BlockCompiler::ColdPath &path = c.cold_path(BlockCompiler::ColdKind::Memory);
    BlockCompiler::add_jump(path, jump);
    path.op = in.op;
    path.imm = in.imm;
    path.args = arguments.locations;
    path.address_offset = arguments.offset;
    c.snapshot(path);
    return c.last_cold();
}
/// On a miss; else addend + base + offset is the host address.
std::size_t leave_on_miss(BlockCompiler &c, const Inst &in, const Arguments &arguments,
                          const TagCheck &check) {
    const u32 miss = c.jump(check.miss);
    if (!check.is_done) c.mov(Reg64(check.addend), c.ptr[c.rax + offsetof(TlbEntry, addend)]);
    const std::size_t path = leave(c, in, arguments, miss);
    if (!check.is_done && check.addend != kRcx) c.cold(path).failed_check = check.addend;
    return path;
}

Xbyak::RegExp host_operand(const TagCheck &check, const GuestAddress &address, unsigned plus) {
    return Reg64(check.addend) + Reg64(address.base) + (address.offset + static_cast<int>(plus));
}

void resume_here(BlockCompiler &c, std::size_t path) {
    c.cold(path).resume = static_cast<u32>(c.getSize());
}

void load_gpr(BlockCompiler &c, HostReg to, unsigned bytes, const Xbyak::RegExp &from) {
    switch (bytes) {
    case 1: c.movzx(Reg32(to), c.byte[from]); break;
    case 2: c.movzx(Reg32(to), c.word[from]); break;
    case 4: c.mov(Reg32(to), c.dword[from]); break;
    default: c.mov(Reg64(to), c.qword[from]); break;
    }
}
void store_gpr(BlockCompiler &c, HostReg from, unsigned bytes, const Xbyak::RegExp &to) {
    switch (bytes) {
    case 1: c.mov(c.byte[to], Xbyak::Reg8(from, from >= 4)); break;
    case 2: c.mov(c.word[to], Xbyak::Reg16(from)); break;
    case 4: c.mov(c.dword[to], Reg32(from)); break;
    default: c.mov(c.qword[to], Reg64(from)); break;
    }
}
void load_xmm(BlockCompiler &c, HostReg to, unsigned bytes, const Xbyak::RegExp &from) {
    const Xbyak::Xmm x(to - kFirstXmm);
    switch (bytes) {
    case 2:
        c.movzx(c.eax, c.word[from]);
        c.movd(x, c.eax);
        break;
    case 4: c.movss(x, c.dword[from]); break;
    case 8: c.movsd(x, c.qword[from]); break;
    default: c.movups(x, c.xword[from]); break;
    }
}
void store_xmm(BlockCompiler &c, HostReg from, unsigned bytes, const Xbyak::RegExp &to) {
    const Xbyak::Xmm x(from - kFirstXmm);
    switch (bytes) {
    case 2: c.pextrw(c.word[to], x, 0); break;
    case 4: c.movss(c.dword[to], x); break;
    case 8: c.movsd(c.qword[to], x); break;
    default: c.movups(c.xword[to], x); break;
    }
}

template <unsigned bytes, bool is_vector>
void load(BlockCompiler &c, const Inst &in, ValueId id) {
    const GuestAddress address = use_address(c, in.args[0]);
    const TagCheck check = emit_tag_check(c, in, address, bytes, false);
    const Arguments arguments = locate_arguments(c, in);
    c.consume();
    c.unlock(); // one load reads the address and writes the result
    const HostReg d = c.def(id, is_vector ? kNoReg : address.base);
    const std::size_t path = leave_on_miss(c, in, arguments, check);
    c.cold(path).results[0] = d;
    if constexpr (is_vector) {
        load_xmm(c, d, bytes, host_operand(check, address, 0));
    } else {
        load_gpr(c, d, bytes, host_operand(check, address, 0));
        c.value(id).has_zero_upper = bytes < 8;
    }
    resume_here(c, path);
}

/// The registers of a pair load's results; kNoReg for a second one that nobody wants.
std::array<HostReg, 2> define_pair(BlockCompiler &c, ValueId id) {
    const HostReg first = c.def(id);
    const auto second_id = static_cast<ValueId>(id + 1);
    const bool has_second =
        second_id < c.inst_count() && !c.value(second_id).is_dead &&
        (c.inst(second_id).op == Opcode::Second || c.inst(second_id).op == Opcode::SecondF32 ||
         c.inst(second_id).op == Opcode::SecondF64 || c.inst(second_id).op == Opcode::SecondV128);
    return {first, has_second ? c.def(second_id) : kNoReg};
}

/// Vector registers: two accesses.
template <unsigned bytes>
void load_pair_vector(BlockCompiler &c, const Inst &in, ValueId id) {
    const GuestAddress address = use_address(c, in.args[0]);
    const TagCheck check = emit_tag_check(c, in, address, 2 * bytes, false);
    const Arguments arguments = locate_arguments(c, in);
    const auto [first, second] = define_pair(c, id);
    const std::size_t path = leave_on_miss(c, in, arguments, check);
    c.cold(path).results = {first, second};
    load_xmm(c, first, bytes, host_operand(check, address, 0));
    if (second != kNoReg) load_xmm(c, second, bytes, host_operand(check, address, bytes));
    resume_here(c, path);
}

/// Hosts whose 16-byte accesses may tear: aligned pairs are done out of line, by compare-and-swap.
void leave_if_tearing(BlockCompiler &c, const GuestAddress &address, std::size_t path) {
    if (c.host().avx) return;
    c.lea(c.eax, c.ptr[Reg64(address.base) + address.offset]);
    c.test(c.al, 15);
    BlockCompiler::add_jump(c.cold(path), c.jump(CC::E));
}

/// General registers: one access, single-copy atomic within aligned 16 bytes (FEAT_LSE2).
template <unsigned bytes>
void load_pair(BlockCompiler &c, const Inst &in, ValueId id) {
    const GuestAddress address = use_address(c, in.args[0]);
    const TagCheck check = emit_tag_check(c, in, address, 2 * bytes, false);
    const Arguments arguments = locate_arguments(c, in);
    const auto [first, second] = define_pair(c, id);
    const std::size_t path = leave_on_miss(c, in, arguments, check);
    c.cold(path).results = {first, second};
    const Xbyak::RegExp from = host_operand(check, address, 0);
    if (second == kNoReg) {
        load_gpr(c, first, bytes, from);
    } else if (bytes == 8) {
        const Xmm both(kScratchXmm0);
        leave_if_tearing(c, address, path);
        c.movups(both, c.xword[from]);
        c.movq(Reg64(first), both);
        c.pextrq(Reg64(second), both, 1);
    } else {
        c.mov(Reg64(second), c.qword[from]);
        c.mov(Reg32(first), Reg32(second));
        c.shr(Reg64(second), 32);
    }
    c.value(id).has_zero_upper = bytes < 8;
    if (second != kNoReg) c.value(static_cast<ValueId>(id + 1)).has_zero_upper = bytes < 8;
    resume_here(c, path);
}

/// Sequential consistency of store-release followed by load-acquire needs a full barrier.
void order_after_store(BlockCompiler &c, MemoryOp op) {
    if (!op.release) return;
    c.lock();
    c.or_(c.dword[c.rsp], 0);
}

template <unsigned bytes, bool is_vector>
void store(BlockCompiler &c, const Inst &in, ValueId) {
    const GuestAddress address = use_address(c, in.args[0]);
    const MemoryOp op = MemoryOp::unpack(in.imm);
    const bool is_immediate =
        !is_vector && c.is_imm32(in.args[1], bytes == 8) && c.state(in.args[1]).reg == kNoReg;
    const HostReg value = is_immediate ? kNoReg : c.use(in.args[1]);
    const TagCheck check = emit_tag_check(c, in, address, bytes, true);
    const std::size_t path = leave_on_miss(c, in, locate_arguments(c, in), check);
    const Xbyak::RegExp to = host_operand(check, address, 0);
    if (is_immediate) {
        const u64 imm = c.constant(in.args[1]);
        switch (bytes) {
        case 1: c.mov(c.byte[to], imm & 0xff); break;
        case 2: c.mov(c.word[to], imm & 0xffff); break;
        case 4: c.mov(c.dword[to], imm & 0xffffffff); break;
        default: c.mov(c.qword[to], imm); break;
        }
    } else if constexpr (is_vector) {
        store_xmm(c, value, bytes, to);
    } else {
        store_gpr(c, value, bytes, to);
    }
    order_after_store(c, op);
    resume_here(c, path);
}

template <unsigned bytes>
void store_pair_vector(BlockCompiler &c, const Inst &in, ValueId) {
    const GuestAddress address = use_address(c, in.args[0]);
    const HostReg first = c.use(in.args[1]);
    const HostReg second = c.use(in.args[2]);
    const TagCheck check = emit_tag_check(c, in, address, 2 * bytes, true);
    const std::size_t path = leave_on_miss(c, in, locate_arguments(c, in), check);
    store_xmm(c, first, bytes, host_operand(check, address, 0));
    store_xmm(c, second, bytes, host_operand(check, address, bytes));
    resume_here(c, path);
}

template <unsigned bytes>
void store_pair(BlockCompiler &c, const Inst &in, ValueId) {
    const GuestAddress address = use_address(c, in.args[0]);
    const bool is_zero = c.is_constant(in.args[1]) && c.constant(in.args[1]) == 0 &&
                         c.is_constant(in.args[2]) && c.constant(in.args[2]) == 0;
    const HostReg first = is_zero ? kNoReg : c.use(in.args[1]);
    const HostReg second = is_zero ? kNoReg : c.use(in.args[2]);
    const TagCheck check = emit_tag_check(c, in, address, 2 * bytes, true);
    const std::size_t path = leave_on_miss(c, in, locate_arguments(c, in), check);
    const Xbyak::RegExp to = host_operand(check, address, 0);
    const Xmm both(kScratchXmm0);
    if (bytes == 8) leave_if_tearing(c, address, path);
    if (is_zero) {
        c.xorps(both, both);
    } else if (bytes == 8) {
        c.movq(both, Reg64(first));
        c.pinsrq(both, Reg64(second), 1);
    } else {
        c.movd(both, Reg32(first));
        c.pinsrd(both, Reg32(second), 1);
    }
    if (bytes == 8)
        c.movups(c.xword[to], both);
    else
        c.movsd(c.qword[to], both);
    resume_here(c, path);
}

/// Without inline code: always by the out-of-line stub.
void out_of_line(BlockCompiler &c, const Inst &in, ValueId id) {
    for (const ValueId arg : in.args)
        if (arg != kNoValue) c.use(arg);
    const Arguments arguments = locate_arguments(c, in);
    c.consume();
    c.unlock();
    HostReg d = kNoReg;
    if (ir::info(in.op).result != ir::Type::Void && c.value(id).uses > 0) {
        d = c.def(id);
        c.value(id).has_zero_upper = ir::info(in.op).result == ir::Type::I32;
    }
    const std::size_t path = leave(c, in, arguments, c.jump());
    c.cold(path).results[0] = d;
    resume_here(c, path);
}

/// A register of the access's size, for instructions that take any.
Xbyak::Reg sized(HostReg r, unsigned bytes) {
    switch (bytes) {
    case 1: return Xbyak::Reg8(r, r >= 4);
    case 2: return Xbyak::Reg16(r);
    case 4: return Reg32(r);
    default: return Reg64(r);
    }
}
Xbyak::Address sized_operand(BlockCompiler &c, const Xbyak::RegExp &at, unsigned bytes) {
    switch (bytes) {
    case 1: return c.byte[at];
    case 2: return c.word[at];
    case 4: return c.dword[at];
    default: return c.qword[at];
    }
}
void zero_extend(BlockCompiler &c, HostReg to, HostReg from, unsigned bytes) {
    switch (bytes) {
    case 1: c.movzx(Reg32(to), Xbyak::Reg8(from, from >= 4)); break;
    case 2: c.movzx(Reg32(to), Xbyak::Reg16(from)); break;
    case 4: c.mov(Reg32(to), Reg32(from)); break;
    default: c.move(to, from); break;
    }
}

/// The TLB's answer must allow reads too: a page that is writable but not readable does not exist
/// in the architecture (VMSAv8-64: AP has no such encoding).
TagCheck emit_atomic_check(BlockCompiler &c, const GuestAddress &address, unsigned bytes,
                           MemoryOp op) {
    // Locked instructions that cross a cache line are slow or trapped by the host: the alignment
    // is always checked.
    emit_comparison(c, address.base, address.offset, address.offset + static_cast<i32>(bytes), true,
                    op, true);
    return {};
}

void atomic_rmw(BlockCompiler &c, const Inst &in, ValueId id) {
    const MemoryOp op = MemoryOp::unpack(in.imm);
    const unsigned bytes = 1u << op.size_log2;
    const GuestAddress address = use_address(c, in.args[0]);
    const HostReg operand = c.use(in.args[1]);
    const TagCheck check = emit_atomic_check(c, address, bytes, op);
    const Arguments arguments = locate_arguments(c, in);
    const HostReg d = c.def(id);
    const Reg64 next = c.temporary64();
    const std::size_t path = leave_on_miss(c, in, arguments, check);
    c.cold(path).results[0] = d;
    c.lea(c.rcx, c.ptr[host_operand(check, address, 0)]);
    const Xbyak::Address at = sized_operand(c, Xbyak::util::rcx + 0, bytes);
    const bool is_unused = c.value(id).uses == 0;
    switch (op.atomic) {
    case AtomicKind::Swap:
        c.move(kRax, operand);
        c.xchg(at, sized(kRax, bytes));
        zero_extend(c, d, kRax, bytes);
        break;
    case AtomicKind::Add:
        c.move(kRax, operand);
        c.lock();
        c.xadd(at, sized(kRax, bytes));
        zero_extend(c, d, kRax, bytes);
        break;
    default:
        if (is_unused && op.atomic != AtomicKind::SMax && op.atomic != AtomicKind::SMin &&
            op.atomic != AtomicKind::UMax && op.atomic != AtomicKind::UMin) {
            // Nobody wants the old value: one locked instruction does.
            const Xbyak::Reg value = sized(kRax, bytes);
            c.move(kRax, operand);
            if (op.atomic == AtomicKind::Clear) c.not_(c.rax);
            c.lock();
            if (op.atomic == AtomicKind::Clear)
                c.and_(at, value);
            else if (op.atomic == AtomicKind::Set)
                c.or_(at, value);
            else
                c.xor_(at, value);
            break;
        }
        {
            const HostReg n = static_cast<HostReg>(next.getIdx());
            load_gpr(c, kRax, bytes, Xbyak::util::rcx + 0);
            const u32 loop = static_cast<u32>(c.getSize());
            c.mov(next, c.rax);
            switch (op.atomic) {
            case AtomicKind::Clear:
                // a & ~b is (a | b) ^ b.
                c.or_(next, Reg64(operand));
                c.xor_(next, Reg64(operand));
                break;
            case AtomicKind::Xor: c.xor_(next, Reg64(operand)); break;
            case AtomicKind::Set: c.or_(next, Reg64(operand)); break;
            default: {
                const CC keep = op.atomic == AtomicKind::SMax   ? CC::GE
                                : op.atomic == AtomicKind::SMin ? CC::LE
                                : op.atomic == AtomicKind::UMax ? CC::AE
                                                                : CC::BE;
                c.cmp(sized(kRax, bytes), sized(operand, bytes));
                c.cmov(negate(keep), n, operand, true);
                break;
            }
            }
            c.lock();
            c.cmpxchg(at, sized(n, bytes));
            const u32 again = c.jump(CC::NE);
            c.bind(again, loop);
            zero_extend(c, d, kRax, bytes);
        }
        break;
    }
    c.value(id).has_zero_upper = bytes < 8;
    resume_here(c, path);
}

void compare_swap(BlockCompiler &c, const Inst &in, ValueId id) {
    const MemoryOp op = MemoryOp::unpack(in.imm);
    const unsigned bytes = 1u << op.size_log2;
    const GuestAddress address = use_address(c, in.args[0]);
    const HostReg expected = c.use(in.args[1]);
    const HostReg desired = c.use(in.args[2]);
    const TagCheck check = emit_atomic_check(c, address, bytes, op);
    const Arguments arguments = locate_arguments(c, in);
    const HostReg d = c.def(id);
    const std::size_t path = leave_on_miss(c, in, arguments, check);
    c.cold(path).results[0] = d;
    c.lea(c.rcx, c.ptr[host_operand(check, address, 0)]);
    c.move(kRax, expected);
    c.lock();
    c.cmpxchg(sized_operand(c, Xbyak::util::rcx + 0, bytes), sized(desired, bytes));
    zero_extend(c, d, kRax, bytes);
    c.value(id).has_zero_upper = bytes < 8;
    resume_here(c, path);
}

} // namespace

BlockCompiler::Emitter memory_emitter(Opcode op, const HostFeatures &) {
    switch (op) {
    case Opcode::Load8: return load<1, false>;
    case Opcode::Load16: return load<2, false>;
    case Opcode::Load32: return load<4, false>;
    case Opcode::Load64: return load<8, false>;
    case Opcode::LoadF16: return load<2, true>;
    case Opcode::LoadF32: return load<4, true>;
    case Opcode::LoadF64: return load<8, true>;
    case Opcode::LoadV128: return load<16, true>;
    case Opcode::LoadPair32: return load_pair<4>;
    case Opcode::LoadPair64: return load_pair<8>;
    case Opcode::LoadPairF32: return load_pair_vector<4>;
    case Opcode::LoadPairF64: return load_pair_vector<8>;
    case Opcode::LoadPairV128: return load_pair_vector<16>;
    case Opcode::Store8: return store<1, false>;
    case Opcode::Store16: return store<2, false>;
    case Opcode::Store32: return store<4, false>;
    case Opcode::Store64: return store<8, false>;
    case Opcode::StoreF16: return store<2, true>;
    case Opcode::StoreF32: return store<4, true>;
    case Opcode::StoreF64: return store<8, true>;
    case Opcode::StoreV128: return store<16, true>;
    case Opcode::StorePair32: return store_pair<4>;
    case Opcode::StorePair64: return store_pair<8>;
    case Opcode::StorePairF32: return store_pair_vector<4>;
    case Opcode::StorePairF64: return store_pair_vector<8>;
    case Opcode::StorePairV128: return store_pair_vector<16>;
    case Opcode::AtomicRmw: return atomic_rmw;
    case Opcode::CompareSwap: return compare_swap;
    case Opcode::CompareSwap128:
    case Opcode::LoadExclusive:
    case Opcode::LoadExclusive128:
    case Opcode::StoreExclusive:
    case Opcode::StoreExclusive128:
    case Opcode::ClearExclusive: return out_of_line;
    default: return nullptr;
    }
}

} // namespace tandem::jit
