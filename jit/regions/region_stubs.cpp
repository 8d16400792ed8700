#include "jit/regions/region_stubs.h"

#include "jit/baseline/frame.h"
#include "jit/baseline/out_of_line.h"
#include "jit/baseline/runtime.h"
#include "support/check.h"

// The system's Xbyak is older than -Wconversion.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <xbyak/xbyak.h>
#pragma GCC diagnostic pop
// It takes signed displacements as unsigned integers.
#pragma GCC diagnostic ignored "-Wsign-conversion"

namespace tandem::jit {
namespace {

using ir::ExecContext;
using ir::Opcode;

/// For the stub: 1 if the region must be left.
u64 side_exit(ExecContext *ctx, const SavedRegisters *saved, const SideTable *table,
              const std::byte *return_address) {
    return take_side_exit(*ctx, *saved, *table, return_address) ? 1 : 0;
}

class Emitter : public Xbyak::CodeGenerator {
public:
    explicit Emitter(CodeWindow window) : CodeGenerator(window.size, window.writable) {}

    static Xbyak::RegExp context(std::size_t offset) {
        return Xbyak::util::rbp + (static_cast<int>(offset) - ExecContext::kContextBias);
    }
#define CONTEXT(member) context(offsetof(ExecContext, member))

    /// The side table is in r11, the site's return address on the stack, the function's frame in
    /// rbp: what the caller's rbp was, the context pointer, is the first thing in it.
    void side_exit_stub(const HostFeatures &host, const void *exit_pc_set) {
        constexpr int kSize = sizeof(SavedRegisters);
        constexpr int kVector = offsetof(SavedRegisters, vector);
        const auto gpr = [&](const Xbyak::Reg64 &r) { return ptr[rbx + r.getIdx() * 8]; };
        const auto for_vectors = [&](auto each) {
            const auto kind = host.avx512 ? Xbyak::Operand::ZMM
                              : host.avx  ? Xbyak::Operand::YMM
                                          : Xbyak::Operand::XMM;
            for (int i = 0; i < (host.avx512 ? 32 : 16); ++i)
                each(ptr[rbx + kVector + i * 64], Xbyak::Xmm(kind, i));
        };
        const Xbyak::Reg64 kept[] = {rcx, rdx, rbp, rsi, rdi, r8, r9, r10, r12, r13, r14, r15};
        Xbyak::Label leave;
        // SavedRegisters wants 16 bytes of alignment, a site promises 8. rax waits above it.
        constexpr int kFrame = kSize + 16;
        lea(rsp, ptr[rsp - kFrame]);
        mov(ptr[rsp + kSize + 8], rax);
        lea(rax, ptr[rsp + 15]);
        and_(rax, -16);
        mov(ptr[rax + rbx.getIdx() * 8], rbx);
        mov(rbx, rax);
        mov(rax, ptr[rsp + kSize + 8]);
        mov(gpr(rax), rax);
        for (const Xbyak::Reg64 &r : kept) mov(gpr(r), r);
        lea(rax, ptr[rsp + kFrame + 8]);
        mov(gpr(rsp), rax);
        mov(r12, ptr[rbp]);
        for_vectors([&](const Xbyak::Address &at, const Xbyak::Xmm &reg) {
            if (host.avx)
                vmovups(at, reg);
            else
                movups(at, reg);
        });
        if (host.avx) vzeroupper(); // C++ code may use SSE: no penalty for what is above
        const auto mask = [&](int i) {
            return ptr[rbx + static_cast<int>(offsetof(SavedRegisters, mask)) + i * 8];
        };
        for (int i = 0; host.avx512 && i < 8; ++i) kmovq(mask(i), Xbyak::Opmask(i));
        lea(rdi, ptr[r12 - ExecContext::kContextBias]);
        stmxcsr(ptr[rdi + offsetof(ExecContext, mxcsr)]);
        mov(rsi, rbx);
        mov(rdx, r11);
        mov(rcx, ptr[rax - 8]);
        and_(rsp, -16);
        mov(rax, reinterpret_cast<u64>(&side_exit));
        call(rax);
        ldmxcsr(ptr[r12 + (static_cast<int>(offsetof(ExecContext, mxcsr)) -
                           ExecContext::kContextBias)]); // drops flags raised by C++ code
        test(eax, eax);
        jnz(leave, T_NEAR);
        for_vectors([&](const Xbyak::Address &at, const Xbyak::Xmm &reg) {
            if (host.avx)
                vmovups(reg, at);
            else
                movups(reg, at);
        });
        for (int i = 0; host.avx512 && i < 8; ++i) kmovq(Xbyak::Opmask(i), mask(i));
        mov(rsp, gpr(rsp));
        lea(rsp, ptr[rsp - (kFrame + 8)]);
        for (const Xbyak::Reg64 &r : kept) mov(r, gpr(r));
        mov(rax, gpr(rax));
        mov(rbx, gpr(rbx));
        lea(rsp, ptr[rsp + kFrame]);
        ret();
        L(leave);
        mov(rsp, rbp);
        pop(rbp);
        add(rsp, 8);
        for (const PinnedRegister &p : kPinned)
            mov(Xbyak::Reg64(p.host), ptr[context(p.state_offset)]);
        mov(r14, ptr[CONTEXT(budget)]);
        sub(r14, ir::kMaxBlockInstructions);
        far_jump(exit_pc_set);
    }

    /// As T1's exits by the jump cache (BlockCompiler::emit_lookup_exit).
    void lookup(const HostFeatures &host, const void *exit_rax) {
        static_assert(sizeof(ir::JumpCacheEntry) == 32);
        Xbyak::Label miss;
        leave_region(host.avx);
        mov(rax, rsi);
        test(r14, r14);
        js(miss);
        mov(ecx, eax);
        and_(ecx, (ir::kJumpCacheEntries - 1) << 2);
        mov(rdx, ptr[CONTEXT(jump_cache)]);
        lea(rcx, ptr[rdx + rcx * 8]);
        cmp(ptr[rcx + offsetof(ir::JumpCacheEntry, va)], rax);
        jne(miss);
        mov(rdx, ptr[CONTEXT(exec_tag)]);
        cmp(ptr[rcx + offsetof(ir::JumpCacheEntry, tag)], rdx);
        jne(miss);
        and_(rax, -4096);
        mov(ptr[CONTEXT(pc_page)], rax);
        jmp(ptr[rcx + offsetof(ir::JumpCacheEntry, code)]);
        L(miss);
        far_jump(exit_rax);
    }

    /// Side exits load whole vector registers. With something above their low halves, T1's SSE code
    /// would wait for that too, and run 12 times as long.
    void leave_region(bool has_avx) {
        if (has_avx) vzeroupper();
        add(rsp, 8);
    }

    void far_jump(const void *target) {
        mov(r11, reinterpret_cast<u64>(target));
        jmp(r11);
    }
#undef CONTEXT
};

/// A jump within the executable view, emitted through the writable one.
void relative_jump(Emitter &e, CodeWindow window, const void *target) {
    e.db(0xe9);
    const auto *after = window.executable + e.getSize() + 4;
    const auto distance = static_cast<const std::byte *>(target) - after;
    CHECK(distance == static_cast<i32>(distance));
    e.dd(static_cast<u32>(distance));
}

} // namespace

RegionStubs::RegionStubs(const Runtime &runtime, std::span<const ir::Helper> helpers,
                         CodeWindow window)
    : helpers_(helpers), has_avx_(runtime.features().avx) {
    CHECK(window.size >= kSize);
    Emitter e(window);
    const auto here = [&] {
        e.align(16);
        return static_cast<const void *>(window.executable + e.getSize());
    };
    const Runtime::Stubs &stubs = runtime.stubs();
    const void *dispatcher = runtime.code() + stubs.exit_pc_set;
    side_exit_ = here();
    e.side_exit_stub(runtime.features(), dispatcher);
    exit_lookup_ = here();
    e.lookup(runtime.features(), runtime.code() + stubs.exit_rax);
    exit_pc_set_ = here();
    e.leave_region(has_avx_);
    e.far_jump(dispatcher);
    exit_direct_ = runtime.code() + stubs.exit_direct;
    helper_table_ = static_cast<const void *const *>(here());
    for (const ir::Helper &helper : helpers) e.dq(reinterpret_cast<u64>(helper.function));
}

RegionSymbols RegionStubs::symbols(const RegionOutline &region, CodeWindow gate) const {
    RegionSymbols result{
        .side_exit = gate.executable,
        .exit_lookup = exit_lookup_,
        .exit_pc_set = exit_pc_set_,
        .helpers = helpers_,
        .helper_table = helper_table_,
        .crossing_table = {reinterpret_cast<const u64 *>(gate.executable + crossing_offset(region)),
                           region.crossings.size()}};
    for (std::size_t i = 0; i < region.exit_targets.size(); ++i)
        result.exits.push_back(gate.executable + exit_offset(region, i));
    return result;
}

void RegionStubs::emit_gate(const RegionOutline &region, u64 owner, std::atomic<u64> &entries,
                            std::span<const u64> crossings, const CompiledRegion &compiled,
                            CodeWindow gate, CompiledBlock &out) const {
    CHECK(crossings.size() == region.crossings.size());
    Emitter e(gate);
    const auto fill_up_to = [&](std::size_t offset) {
        CHECK(e.getSize() <= offset);
        while (e.getSize() < offset) e.int3();
    };
    e.mov(e.r11, reinterpret_cast<u64>(compiled.side_table.get()));
    relative_jump(e, gate, side_exit_);
    for (u32 i = 0; i < region.entries.size(); ++i) {
        fill_up_to(kSideExitSize + i * kEntrySize);
        e.mov(e.r11, reinterpret_cast<u64>(&entries));
        e.inc(e.qword[e.r11]);
        // All of a region runs with the guest's mxcsr.
        const auto fp_loaded = e.dword[e.rsp + static_cast<int>(offsetof(Frame, fp_loaded))];
        Xbyak::Label is_loaded;
        e.cmp(fp_loaded, 0);
        e.jne(is_loaded, Emitter::T_SHORT);
        e.ldmxcsr(e.dword[Emitter::context(offsetof(ExecContext, mxcsr))]);
        e.mov(fp_loaded, 1);
        e.L(is_loaded);
        e.sub(e.rsp, 8);
        e.mov(e.rsi, e.rbp);
        e.mov(e.edi, i);
        relative_jump(e, gate, compiled.entry);
    }
    for (u32 i = 0; i < region.exit_targets.size(); ++i) {
        fill_up_to(exit_offset(region, i));
        e.leave_region(has_avx_);
        e.test(e.r14, e.r14);
        Xbyak::Label stub;
        e.js(stub, Emitter::T_SHORT);
        // The displacement of the jump must be aligned for patching.
        while (e.getSize() % 4 != 3) e.nop();
        const auto site = static_cast<u32>(e.getSize()) + 1;
        e.db(0xe9);
        e.dd(0);
        const auto stub_offset = static_cast<u32>(e.getSize());
        e.L(stub);
        e.mov(e.eax, region.exit_targets[i]);
        e.mov(e.edx, i);
        e.mov(e.rcx, owner);
        relative_jump(e, gate, exit_direct_);
        out.links.push_back({site, stub_offset, static_cast<i32>(region.exit_targets[i])});
    }
    fill_up_to(crossing_offset(region));
    for (const u64 block : crossings) e.dq(block);
    CHECK(e.getSize() <= gate_size(region));
    out.size = static_cast<u32>(e.getSize());
    for (const LinkSite &link : out.links) clear_link(gate, link);
}

} // namespace tandem::jit
