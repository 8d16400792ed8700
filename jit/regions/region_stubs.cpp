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

u32 memory_operation(ExecContext *ctx, u32 opcode, u64 imm, u64 insn) {
    ctx->pc = ctx->pc_page + ir::insn_page_offset(insn);
    out_of_line_memory(*ctx, static_cast<Opcode>(opcode), imm, &ctx->scratch[0], &ctx->scratch[4]);
    return static_cast<u32>(ctx->pending_exit);
}

void thunk_operation(ExecContext *ctx, u32 opcode, u64 imm) {
    out_of_line_thunk(*ctx, static_cast<Opcode>(opcode), imm, &ctx->scratch[0], &ctx->scratch[4]);
}

class Emitter : public Xbyak::CodeGenerator {
public:
    explicit Emitter(CodeWindow window) : CodeGenerator(window.size, window.writable) {}

    static Xbyak::RegExp context(std::size_t offset) {
        return Xbyak::util::rbp + (static_cast<int>(offset) - ExecContext::kContextBias);
    }
#define CONTEXT(member) context(offsetof(ExecContext, member))

    /// Calls C++ code by LLVM's preserve_all convention: all but r11 survive, and rax if the
    /// function returns nothing.
    template <typename Result, typename... Args>
    void preserving_call(Result (*function)(Args...)) {
        constexpr bool is_void = std::is_void_v<Result>;
        const Xbyak::Reg64 saved[] = {rcx, rdx, rsi, rdi, r8, r9, r10};
        constexpr int kXmmBytes = 16 * 16;
        push(rbp);
        for (const Xbyak::Reg64 &r : saved) push(r);
        // With the return address nine words are on the stack: rsp is 8 modulo 16.
        sub(rsp, kXmmBytes + 8);
        if (is_void) mov(ptr[rsp + kXmmBytes], rax);
        for (int i = 0; i < 16; ++i) movaps(ptr[rsp + i * 16], Xbyak::Xmm(i));
        mov(rbp, rdi);
        stmxcsr(ptr[CONTEXT(mxcsr)]);
        sub(rdi, ExecContext::kContextBias);
        mov(rax, reinterpret_cast<u64>(function));
        call(rax);
        ldmxcsr(ptr[CONTEXT(mxcsr)]); // drops flags raised by C++ code
        for (int i = 0; i < 16; ++i) movaps(Xbyak::Xmm(i), ptr[rsp + i * 16]);
        if (is_void) mov(rax, ptr[rsp + kXmmBytes]);
        add(rsp, kXmmBytes + 8);
        for (std::size_t i = std::size(saved); i-- > 0;) pop(saved[i]);
        pop(rbp);
        ret();
    }

    /// As T1's exits by the jump cache (BlockCompiler::emit_lookup_exit).
    void lookup(const void *exit_rax) {
        static_assert(sizeof(ir::JumpCacheEntry) == 32);
        Xbyak::Label miss;
        add(rsp, 8);
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

RegionStubs::RegionStubs(const Runtime &runtime, CodeWindow window) {
    CHECK(window.size >= kSize);
    Emitter e(window);
    const auto here = [&] {
        e.align(16);
        return static_cast<const void *>(window.executable + e.getSize());
    };
    const Runtime::Stubs &stubs = runtime.stubs();
    symbols_.memory = here();
    e.preserving_call(&memory_operation);
    symbols_.thunk = here();
    e.preserving_call(&thunk_operation);
    symbols_.exit_lookup = here();
    e.lookup(runtime.code() + stubs.exit_rax);
    symbols_.exit_pc_set = here();
    e.add(e.rsp, 8);
    e.far_jump(runtime.code() + stubs.exit_pc_set);
    exit_direct_ = runtime.code() + stubs.exit_direct;
}

std::vector<const void *> RegionStubs::gate_exits(const Region &region, CodeWindow gate) {
    std::vector<const void *> result;
    for (std::size_t i = 0; i < region.exit_targets.size(); ++i)
        result.push_back(gate.executable + kEntrySize + i * kExitSize);
    return result;
}

void RegionStubs::emit_gate(const Region &region, u64 owner, const void *function, CodeWindow gate,
                            CompiledBlock &out) const {
    Emitter e(gate);
    // All of a region runs with the guest's mxcsr.
    const auto fp_loaded = e.dword[e.rsp + static_cast<int>(offsetof(Frame, fp_loaded))];
    Xbyak::Label is_loaded;
    e.cmp(fp_loaded, 0);
    e.jne(is_loaded, Emitter::T_SHORT);
    e.ldmxcsr(e.dword[Emitter::context(offsetof(ExecContext, mxcsr))]);
    e.mov(fp_loaded, 1);
    e.L(is_loaded);
    e.sub(e.rsp, 8);
    relative_jump(e, gate, function);
    CHECK(e.getSize() <= kEntrySize);
    for (u32 i = 0; i < region.exit_targets.size(); ++i) {
        const std::size_t start = kEntrySize + i * kExitSize;
        while (e.getSize() < start) e.int3();
        e.add(e.rsp, 8);
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
        CHECK(e.getSize() <= start + kExitSize);
        out.links.push_back({site, stub_offset, static_cast<i32>(region.exit_targets[i])});
    }
    out.size = static_cast<u32>(e.getSize());
    for (const LinkSite &link : out.links) clear_link(gate, link);
}

} // namespace tandem::jit
