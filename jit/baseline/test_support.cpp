#include "jit/baseline/test_support.h"

#include "support/check.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstring>

namespace tandem::jit::test {

using ir::ExecContext;
using ir::MemoryOp;
using ir::Opcode;
using ir::Vec;

void State::copy_from(const State &other) {
    std::memcpy(static_cast<void *>(this), static_cast<const void *>(&other), sizeof *this);
}
u64 State::v_offset(unsigned n) {
    static State state;
    return static_cast<u64>(reinterpret_cast<std::byte *>(&state.v[n]) -
                            reinterpret_cast<std::byte *>(static_cast<ExecContext *>(&state)));
}
u64 State::system_offset(unsigned n) {
    static State state;
    return static_cast<u64>(reinterpret_cast<std::byte *>(&state.system[n]) -
                            reinterpret_cast<std::byte *>(static_cast<ExecContext *>(&state)));
}

// --- memory
// ---------------------------------------------------------------------------------------

Memory::Memory() : tlb_(ir::kTlbEntries) {
    for (u64 page = 0; page < 3; ++page) {
        const u64 va = kBase + page * 4096;
        ir::TlbEntry &entry = tlb_[(va >> 12) & (ir::kTlbEntries - 1)];
        entry.read_tag = va;
        if (page < 2) entry.write_tag = va;
        entry.addend = reinterpret_cast<u64>(bytes.data()) - kBase;
    }
}

void Memory::attach(State &state) {
    state.tlb.fill(tlb_.data());
    state.memory = this;
}

bool Memory::check(ExecContext &ctx, u64 va, unsigned size, MemoryOp op) {
    const bool is_misaligned = op.alignment == ir::Alignment::Natural && va % size != 0;
    if (va >= kBase && va - kBase <= kSize - size && !is_misaligned) return true;
    // "Raises an exception": leaves traces that the other tier must leave too.
    ctx.gpr[0] ^= ctx.pc + va;
    ctx.gpr[31] += 16;
    ctx.flags ^= ir::kFlagZ;
    static_cast<State &>(ctx).system[0] = ctx.pc;
    ctx.pc = 0x1234'5000;
    ctx.pending_exit = ir::PendingExit::Resume;
    return false;
}

u64 Memory::load(ExecContext &ctx, u64 va, unsigned size_log2, MemoryOp op) {
    u64 value = 0;
    if (check(ctx, va, 1u << size_log2, op))
        std::memcpy(&value, &bytes[va - kBase], 1u << size_log2);
    return value;
}
void Memory::store(ExecContext &ctx, u64 va, unsigned size_log2, u64 value, MemoryOp op) {
    if (check(ctx, va, 1u << size_log2, op))
        std::memcpy(&bytes[va - kBase], &value, 1u << size_log2);
}
Vec Memory::load128(ExecContext &ctx, u64 va, MemoryOp op) {
    Vec value;
    if (check(ctx, va, 16, op)) std::memcpy(&value, &bytes[va - kBase], 16);
    return value;
}
void Memory::store128(ExecContext &ctx, u64 va, Vec value, MemoryOp op) {
    if (check(ctx, va, 16, op)) std::memcpy(&bytes[va - kBase], &value, 16);
}
u64 Memory::atomic(ExecContext &ctx, u64 va, u64 operand, MemoryOp op) {
    op.alignment = ir::Alignment::Any;
    const unsigned size = 8u << op.size_log2;
    const u64 old = load(ctx, va, op.size_log2, op);
    if (ctx.pending_exit != ir::PendingExit::None) return 0;
    const i64 a = sign_extend(old, size), b = sign_extend(operand, size);
    const u64 ub = operand & ones(size);
    u64 next = 0;
    switch (op.atomic) {
    case ir::AtomicKind::Add: next = old + operand; break;
    case ir::AtomicKind::Clear: next = old & ~operand; break;
    case ir::AtomicKind::Xor: next = old ^ operand; break;
    case ir::AtomicKind::Set: next = old | operand; break;
    case ir::AtomicKind::SMax: next = static_cast<u64>(std::max(a, b)); break;
    case ir::AtomicKind::SMin: next = static_cast<u64>(std::min(a, b)); break;
    case ir::AtomicKind::UMax: next = std::max(old, ub); break;
    case ir::AtomicKind::UMin: next = std::min(old, ub); break;
    case ir::AtomicKind::Swap: next = operand; break;
    }
    store(ctx, va, op.size_log2, next, op);
    return old;
}
u64 Memory::compare_swap(ExecContext &ctx, u64 va, u64 expected, u64 desired, MemoryOp op) {
    op.alignment = ir::Alignment::Any;
    const u64 old = load(ctx, va, op.size_log2, op);
    if (ctx.pending_exit != ir::PendingExit::None) return 0;
    if (old == (expected & ones(8u << op.size_log2))) store(ctx, va, op.size_log2, desired, op);
    return old;
}
Vec Memory::compare_swap128(ExecContext &ctx, u64 va, Vec expected, Vec desired, MemoryOp op) {
    op.alignment = ir::Alignment::Any;
    const Vec old = load128(ctx, va, op);
    if (ctx.pending_exit == ir::PendingExit::None && old == expected)
        store128(ctx, va, desired, op);
    return old;
}
Vec Memory::load_exclusive(ExecContext &ctx, u64 va, MemoryOp op) {
    return op.size_log2 == 4 ? load128(ctx, va, op) : Vec{{load(ctx, va, op.size_log2, op), 0}};
}
u32 Memory::store_exclusive(ExecContext &ctx, u64 va, Vec value, MemoryOp op) {
    if (va % 3 == 0) return 1;
    if (op.size_log2 == 4)
        store128(ctx, va, value, op);
    else
        store(ctx, va, op.size_log2, value.d[0], op);
    return 0;
}
void Memory::clear_exclusive(ExecContext &ctx) {
    static_cast<State &>(ctx).system[1] += 1;
}

// --- helpers
// --------------------------------------------------------------------------------------

namespace {
/// Of as many arguments as imm<11:8> says; others have no defined value.
u64 combine(u64 a, u64 b, u64 c, u64 d, u64 imm) {
    const u64 count = imm >> 8;
    return a * 3 + (count > 1 ? b * 5 : 0) + (count > 2 ? c * 7 : 0) + (count > 3 ? d * 11 : 0) +
           imm;
}
u64 helper_plain(ExecContext &, u64 a, u64 b, u64 c, u64 d, u64 imm) {
    return combine(a, b, c, d, imm);
}
u64 helper_state(ExecContext &ctx, u64 a, u64 b, u64 c, u64 d, u64 imm) {
    auto &state = static_cast<State &>(ctx);
    const u64 result = ctx.gpr[imm & 31] + combine(a, b, c, d, imm);
    ctx.gpr[(imm + 1) & 31] ^= result;
    state.v[imm & 31].d[1] += result;
    ctx.flags ^= ir::kFlagN;
    return result;
}
u64 helper_may_exit(ExecContext &ctx, u64 a, u64 b, u64 c, u64 d, u64 imm) {
    const u64 result = helper_state(ctx, a, b, c, d, imm);
    if ((a & 3) == 0) {
        static_cast<State &>(ctx).system[2] = ctx.pc;
        ctx.pc = a;
        ctx.pending_exit = ir::PendingExit::Resume;
    }
    return result;
}
u64 helper_raise(ExecContext &ctx, u64, u64, u64, u64, u64) {
    static_cast<State &>(ctx).system[3] = ctx.pc;
    ctx.gpr[1] += ctx.gpr[0];
    ctx.pc = 0x8000;
    ctx.pending_exit = ir::PendingExit::Resume;
    return 0;
}
constexpr std::array<ir::Helper, 4> kHelpers{{
    {"plain", helper_plain, false, false},
    {"state", helper_state, true, false},
    {"may_exit", helper_may_exit, true, true},
    {"raise", helper_raise, true, true},
}};
} // namespace

std::span<const ir::Helper> helpers() {
    return kHelpers;
}

// --- code
// ----------------------------------------------------------------------------------------------

namespace {
constexpr std::size_t kCodeBytes = Runtime::kSize + Compiler::kMaxCodeSize;
}

Jit::Jit(HostFeatures features) {
    void *memory = ::mmap(nullptr, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memory_ = static_cast<std::byte *>(memory);
    runtime_ = std::make_unique<Runtime>(CodeWindow{memory_, memory_, Runtime::kSize}, features);
    compiler_ = std::make_unique<Compiler>(*runtime_, helpers());
    window_ = {memory_ + Runtime::kSize, memory_ + Runtime::kSize, Compiler::kMaxCodeSize};
}

Jit::~Jit() {
    ::munmap(memory_, kCodeBytes);
}

CompileResult Jit::compile_into(const ir::Block &block, std::size_t size, Reach reach) {
    CodeWindow window = window_;
    window.size = size;
    return compiler_->compile(block, 0x1122334455667788, reach, window, compiled_);
}

ExitInfo Jit::run(State &state) {
    return runtime_->enter(state, window_.executable);
}

std::vector<unsigned> levels() {
    std::vector<unsigned> result{2};
    const HostFeatures host = HostFeatures::detect();
    if (host.avx2 && host.bmi2) result.push_back(3);
    if (host.avx512) result.push_back(4);
    return result;
}

// --- random operands
// -------------------------------------------------------------------------------------

u64 random_value(Random &random) {
    static constexpr u64 kSpecial[] = {
        0,
        1,
        2,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        0xffffffffffffffff,
        // Doubles: one, minimum normal, denormals, maximum, infinity, NaNs, halves, limits of
        // integers.
        0x3ff0000000000000,
        0xbff0000000000000,
        0x0010000000000000,
        0x8010000000000000,
        0x000fffffffffffff,
        0x0000000000000003,
        0x7fefffffffffffff,
        0x7ff0000000000000,
        0xfff0000000000000,
        0x7ff8000000000001,
        0x7ff0000000000001,
        0xfff8000000000000,
        0x3fe0000000000000,
        0x4000000000000000,
        0x41dfffffffc00000,
        0xc1e0000000000000,
        0x41efffffffe00000,
        0x43e0000000000000,
        0x43f0000000000000,
        0xc3e0000000000000,
        0x3ca0000000000000,
        0x3cb0000000000000,
        0x0020000000000000,
        0x36a0000000000000,
        0x47efffffe0000000,
        0x3810000000000000,
        0x380fffffffffffff,
        0x380fffffe0000000,
        // Pairs of singles.
        0x3f8000003f800000,
        0x0080000080800000,
        0x007fffff00000001,
        0x7f7fffffff7fffff,
        0x7f800000ff800000,
        0x7fc000017f800001,
        0xffc000003f000000,
        0x4f0000004effffff,
        0x5f000000df000000,
        0xbf80000000000000,
        0x4b8000014b800000,
        0x0000000000800000,
        // Halves.
        0x3c003c00bc000400,
        0x7bff03ff00017c00,
        0xfc007e017c01fe00,
        0x00000000380077ff,
    };
    switch (random() % 8) {
    case 0:
    case 1: return kSpecial[random() % std::size(kSpecial)];
    case 2: return random() >> (random() % 64);
    case 3: return static_cast<u64>(static_cast<i64>(random()) >> (random() % 64));
    case 4: {
        // Doubles of moderate size.
        const auto value = static_cast<double>(static_cast<i64>(random()) >> (random() % 60));
        return std::bit_cast<u64>(value / static_cast<double>(1ull << (random() % 20)));
    }
    case 5: {
        const auto f = [&] {
            const auto value = static_cast<float>(static_cast<i32>(random()) >> (random() % 30));
            return std::bit_cast<u32>(value / static_cast<float>(1u << (random() % 16)));
        };
        return f() | static_cast<u64>(f()) << 32;
    }
    case 6: {
        // Exponents near the edge of the doubles and singles.
        const u64 mantissa = random() & ones(52);
        const u64 exponent = random() % 2 == 0 ? random() % 60 : 2046 - random() % 60;
        if (random() % 2 == 0) return mantissa | exponent << 52 | (random() & 1) << 63;
        const auto f = [&] {
            const u64 e = random() % 2 == 0 ? random() % 30 : 254 - random() % 30;
            return (random() & ones(23)) | e << 23 | (random() & 1) << 31;
        };
        return f() | f() << 32;
    }
    default: return random();
    }
}

Vec random_vector(Random &random) {
    return Vec{{random_value(random), random_value(random)}};
}

u64 random_immediate(Opcode op, Random &random) {
    const std::string_view name = ir::info(op).name;
    const auto starts = [&](std::string_view prefix) { return name.starts_with(prefix); };
    const auto below = [&](u64 limit) { return random() % limit; };
    const unsigned lane = [&] {
        if (name.ends_with("64")) return 64u;
        if (name.ends_with("32")) return 32u;
        if (name.ends_with("16")) return 16u;
        return 8u;
    }();
    const bool is_fp = ir::info(op).op_class == ir::OpClass::Fp;
    if (is_fp) {
        u64 imm = below(4) == 0 ? below(64) : below(4);
        if (starts("FRoundInt") || starts("VFRoundInt"))
            return imm | below(4) << 8 | below(2) << 16;
        if (starts("FRound") || starts("VFRound")) return imm | below(5) << 8 | below(2) << 11;
        if (starts("FToS") || starts("FToU") || starts("VFToS") || starts("VFToU")) {
            const u64 fraction = below(2) == 0 ? 0 : below(lane == 64 ? 65 : lane + 1);
            return imm | below(5) << 8 | fraction << 16;
        }
        if (name.find("ToF") != std::string_view::npos ||
            name.find("ToHalf") != std::string_view::npos)
            return imm | (below(2) == 0 ? 0 : below(lane + 1)) << 16;
        if (starts("FCompare") && !starts("FCompareE") && !starts("FCompareG") &&
            !starts("FCompareA"))
            return imm | below(2) << 8;
        if (starts("VFComplexAdd")) return imm | below(2) << 8;
        if (starts("VFComplexMulAdd")) return imm | below(4) << 8;
        if (starts("VFMulAddLongBF16")) return imm | below(2) << 8;
        if (starts("VSatShlImmSU")) return imm | below(lane) << 8;
        if (starts("VShrNarrow")) return imm | (1 + below(lane)) << 8 | below(2) << 16;
        return imm;
    }
    if (starts("Extract") || starts("TestBit")) return below(lane);
    if (starts("Bitfield")) {
        const u64 lsb = below(lane);
        return lsb | (1 + below(lane - lsb)) << 8;
    }
    if (starts("Crc32")) return u64{1} << below(4);
    if (starts("CondHolds")) return below(16);
    if (starts("Const32")) return static_cast<u32>(random_value(random));
    if (starts("Const64") || starts("VConst64")) return random_value(random);
    if (starts("ConstFlags")) return ir::flags_from_nzcv(static_cast<u32>(below(16)));
    if (starts("VToF16")) return below(8);
    if (starts("VToF32")) return below(4);
    if (starts("VToF64")) return below(2);
    const u64 lanes = 128 / lane;
    if (starts("VGet") || starts("VSet") || starts("VDupLane")) return below(lanes);
    if (starts("VInsertLane")) return below(lanes) | below(lanes) << 8;
    if (starts("VExtract")) return below(16);
    if (starts("VShlImm") || starts("VShlInsert")) return below(lane);
    if (starts("VLsrImm") || starts("VAsrImm") || starts("VRoundLsrImm") ||
        starts("VRoundAsrImm") || starts("VShrInsert"))
        return 1 + below(lane);
    if (starts("VShrNarrow")) return (1 + below(lane)) << 8 | below(2) << 16;
    if (starts("VAcross")) return below(2) == 0 ? lanes : (lane == 32 ? 4 : lanes / 2);
    if (starts("Sm3Tt")) return below(4);
    return 0;
}

void randomise(State &state, Random &random) {
    for (u64 &x : state.gpr) x = random_value(random);
    for (Vec &v : state.v) v = random_vector(random);
    for (u64 &x : state.system) x = random_value(random);
    state.flags = ir::flags_from_nzcv(static_cast<u32>(random() & 15));
    state.pc_page = 0xffff'8000'1234'5000;
    state.fpsr = 0;
    state.mxcsr = 0x1f80;
    state.pending_exit = ir::PendingExit::None;
    state.budget = 1000;
}

std::string compare(State &expected, State &actual) {
    std::string out;
    const auto fold = [](State &state) {
        const u32 m = state.mxcsr;
        state.fpsr |= (m & 1) | ((m >> 1) & 0x1e);
    };
    fold(expected);
    fold(actual);
    const auto check = [&](std::string_view name, u64 e, u64 a) {
        if (e != a) out += fmt::format("{}: {:#x} but T1 {:#x}\n", name, e, a);
    };
    const bool has_equal_registers =
        expected.gpr == actual.gpr && expected.v == actual.v && expected.system == actual.system;
    for (unsigned i = 0; i < 32 && !has_equal_registers; ++i) {
        check(fmt::format("x{}", i), expected.gpr[i], actual.gpr[i]);
        check(fmt::format("v{} low", i), expected.v[i].d[0], actual.v[i].d[0]);
        check(fmt::format("v{} high", i), expected.v[i].d[1], actual.v[i].d[1]);
        check(fmt::format("system{}", i), expected.system[i], actual.system[i]);
    }
    check("flags", expected.flags & ir::kFlagMask, actual.flags & ir::kFlagMask);
    check("fpsr", expected.fpsr, actual.fpsr);
    check("pc", expected.pc, actual.pc);
    check("pending", static_cast<u64>(expected.pending_exit),
          static_cast<u64>(actual.pending_exit));
    check("budget", static_cast<u64>(expected.budget), static_cast<u64>(actual.budget));
    return out;
}

} // namespace tandem::jit::test
