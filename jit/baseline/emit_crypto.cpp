// Cryptography, on the host's own instructions.
#include "jit/baseline/vector_ops.h"

namespace tandem::jit {
namespace {
using namespace vec;

/// The single user of the value, if it is such an operation and comes soon; else kNoValue.
ValueId soon_used_by(BlockCompiler &c, ValueId id, Opcode op) {
    if (c.value(id).uses != 1) return kNoValue;
    const std::size_t end = std::min<std::size_t>(c.inst_count(), id + 8u);
    for (std::size_t i = id + 1u; i < end; ++i) {
        const Inst &in = c.inst(static_cast<ValueId>(i));
        if (in.op == op && in.args[0] == id) return static_cast<ValueId>(i);
    }
    return kNoValue;
}

/// AESENCLAST with a zero key is SubBytes(ShiftRows(x)): AESE without its AddRoundKey, which comes
/// first. AESE and AESMC together are AESENC.
template <bool is_encryption>
void aes_round(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    c.unlock();
    const Xmm d = c.def_x(id, index_of(a));
    pxor(c, d, a, b);
    if (is_encryption && soon_used_by(c, id, Opcode::AesMixColumns) != kNoValue) {
        c.value(id).is_partial = true;
        return;
    }
    c.pxor(s0(), s0());
    if (is_encryption)
        c.aesenclast(d, s0());
    else
        c.aesdeclast(d, s0());
}
/// AESDECLAST undoes SubBytes and ShiftRows, AESENC does them again and MixColumns.
void aes_mix_columns(BlockCompiler &c, const Inst &in, ValueId id) {
    const bool is_joined = c.value(in.args[0]).is_partial;
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    c.move(index_of(d), index_of(a));
    c.pxor(s0(), s0());
    if (!is_joined) c.aesdeclast(d, s0());
    c.aesenc(d, s0());
}
void aes_inverse_mix_columns(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    c.consume();
    c.unlock();
    c.aesimc(c.def_x(id, index_of(a)), a);
}

void polynomial_multiply(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    c.move(index_of(d), index_of(a));
    c.pclmulqdq(d, b, 0);
}

/// Four rounds: SHA256RNDS2 does two, on ABEF and CDGH with A in the highest lane, and reads the
/// schedule from xmm0. SHA256H and SHA256H2 are the two halves of the result: when the other one
/// follows with the same operands, both are made here.
template <bool is_second>
void sha256_rounds(BlockCompiler &c, const Inst &in, ValueId id) {
    if (c.value(id).reg != kNoReg || c.value(id).is_partial) return; // made by the other half
    constexpr HostReg kXmm0 = kFirstXmm;
    c.claim(kXmm0);
    const Xmm abcd = c.use_x(in.args[is_second ? 1 : 0]);
    const Xmm efgh = c.use_x(in.args[is_second ? 0 : 1]);
    const Xmm schedule = c.use_x(in.args[2]);
    ValueId other = kNoValue;
    const Opcode other_op = is_second ? Opcode::Sha256Hash : Opcode::Sha256Hash2;
    const std::size_t end = std::min<std::size_t>(c.inst_count(), id + 10u);
    for (std::size_t i = id + 1u; i < end && other == kNoValue; ++i) {
        const auto candidate = static_cast<ValueId>(i);
        const Inst &next = c.inst(candidate);
        const bool matches = next.op == other_op && !c.value(candidate).is_dead &&
                             c.root(next.args[0]) == c.root(in.args[1]) &&
                             c.root(next.args[1]) == c.root(in.args[0]) &&
                             c.root(next.args[2]) == c.root(in.args[2]);
        if (matches) other = candidate;
    }
    const Xmm d = c.def_x(id);
    const Xmm e = other != kNoValue ? c.def_x(other) : c.temporary_x();
    if (other != kNoValue) c.value(other).is_partial = true;
    c.pshufd(s0(), abcd, 0x1b);
    c.pshufd(s1(), efgh, 0x1b);
    c.movaps(d, s1());
    c.punpcklqdq(d, s0()); // CDGH
    c.movaps(e, s1());
    c.punpckhqdq(e, s0()); // ABEF
    c.movaps(c.xmm0, schedule);
    c.sha256rnds2(d, e);
    c.pshufd(c.xmm0, schedule, 0xee);
    c.sha256rnds2(e, d);
    // Now ABEF is in e, CDGH in d.
    c.movaps(s0(), d);
    c.movaps(s1(), d);
    c.punpckhqdq(s0(), e); // DCBA
    c.punpcklqdq(s1(), e); // HGFE
    c.pshufd(d, is_second ? s1() : s0(), 0x1b);
    if (other != kNoValue) c.pshufd(e, is_second ? s0() : s1(), 0x1b);
}
void sha256_schedule0(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    c.consume();
    const Xmm d = c.def_x(id, index_of(a));
    c.move(index_of(d), index_of(a));
    c.sha256msg1(d, b);
}
void sha256_schedule1(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm m = c.use_x(in.args[2]);
    c.movaps(s0(), m);
    c.palignr(s0(), b, 4);
    const Xmm d = c.def_x(id);
    c.move(index_of(d), index_of(a));
    c.paddd(d, s0());
    c.sha256msg2(d, m);
}

/// SHA1RNDS4 adds the round constant, which ARM's operand contains already: subtracted first.
template <u8 function, u32 constant>
void sha1_rounds(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm abcd = c.use_x(in.args[0]);
    const Reg32 e = c.use32(in.args[1]);
    const Xmm schedule = c.use_x(in.args[2]);
    const Xmm d = c.def_x(id);
    splat(c, s0(), repeat(32, constant));
    c.movaps(s1(), schedule);
    c.psubd(s1(), s0());
    c.pshufd(s1(), s1(), 0x1b);
    c.movd(s0(), e);
    c.pslldq(s0(), 12);
    c.paddd(s1(), s0());
    c.pshufd(d, abcd, 0x1b);
    c.sha1rnds4(d, s1(), function);
    c.pshufd(d, d, 0x1b);
}
void sha1_hash(BlockCompiler &c, const Inst &in, ValueId id) {
    const HostReg a = c.use(in.args[0]);
    c.consume();
    const Reg32 d = c.def32(id, a);
    c.mov(d, Reg32(a));
    c.rol(d, 30);
}
void sha1_schedule0(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm m = c.use_x(in.args[2]);
    c.movaps(s0(), b);
    c.palignr(s0(), a, 8);
    c.pxor(s0(), m);
    c.consume();
    c.unlock();
    pxor(c, c.def_x(id, index_of(a)), a, s0());
}
void sha1_schedule1(BlockCompiler &c, const Inst &in, ValueId id) {
    const Xmm a = c.use_x(in.args[0]);
    const Xmm b = c.use_x(in.args[1]);
    const Xmm d = c.def_x(id);
    const auto rotate = [&](const Xmm &to, const Xmm &x, unsigned n, const Xmm &scratch) {
        shift(c, Shift::Right, 32, scratch, x, 32 - n);
        shift(c, Shift::Left, 32, to, x, n);
        c.por(to, scratch);
    };
    c.movaps(s0(), b);
    c.psrldq(s0(), 4);
    c.pxor(s0(), a);
    rotate(d, s0(), 1, s1());
    c.pslldq(s0(), 12);
    rotate(s0(), s0(), 2, s1());
    c.pxor(d, s0());
}

} // namespace

BlockCompiler::Emitter crypto_emitter(Opcode op, const HostFeatures &host) {
    switch (op) {
    case Opcode::AesEncrypt: return host.aes ? aes_round<true> : nullptr;
    case Opcode::AesDecrypt: return host.aes ? aes_round<false> : nullptr;
    case Opcode::AesMixColumns: return host.aes ? aes_mix_columns : nullptr;
    case Opcode::AesInverseMixColumns: return host.aes ? aes_inverse_mix_columns : nullptr;
    case Opcode::VPolyMulLong64: return host.pclmul ? polynomial_multiply : nullptr;
    case Opcode::Sha256Hash: return host.sha ? sha256_rounds<false> : nullptr;
    case Opcode::Sha256Hash2: return host.sha ? sha256_rounds<true> : nullptr;
    case Opcode::Sha256Schedule0: return host.sha ? sha256_schedule0 : nullptr;
    case Opcode::Sha256Schedule1: return host.sha ? sha256_schedule1 : nullptr;
    case Opcode::Sha1Choose: return host.sha ? sha1_rounds<0, 0x5a827999> : nullptr;
    case Opcode::Sha1Parity: return host.sha ? sha1_rounds<1, 0x6ed9eba1> : nullptr;
    case Opcode::Sha1Majority: return host.sha ? sha1_rounds<2, 0x8f1bbcdc> : nullptr;
    case Opcode::Sha1Hash: return sha1_hash;
    case Opcode::Sha1Schedule0: return sha1_schedule0;
    case Opcode::Sha1Schedule1: return sha1_schedule1;
    default: return nullptr;
    }
}

} // namespace tandem::jit
