// Entry and exit trampolines, and the stubs that blocks share.
#include "jit/baseline/runtime.h"

#include "ir/block.h"
#include "jit/baseline/frame.h"
#include "jit/baseline/out_of_line.h"
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

void memory_operation(ExecContext &ctx, Frame &frame) {
    out_of_line_memory(ctx, static_cast<Opcode>(frame.opcode), frame.imm, frame.args.data(),
                       frame.result.data());
}
void thunk_operation(ExecContext &ctx, Frame &frame) {
    out_of_line_thunk(ctx, static_cast<Opcode>(frame.opcode), frame.imm, frame.args.data(),
                      frame.result.data());
}

constexpr u32 kDefaultMxcsr = 0x1f80;

class StubEmitter : public Xbyak::CodeGenerator {
public:
    explicit StubEmitter(CodeWindow window) : Xbyak::CodeGenerator(window.size, window.writable) {}

    u32 here() {
        align(16);
        return static_cast<u32>(getSize());
    }
    static Xbyak::RegExp context(std::size_t offset) {
        return Xbyak::util::rbp + (static_cast<int>(offset) - ExecContext::kContextBias);
    }
#define CONTEXT(member) context(offsetof(ExecContext, member))

    void load_pinned() {
        for (const PinnedRegister &p : kPinned)
            mov(Xbyak::Reg64(p.host), ptr[context(p.state_offset)]);
    }
    void store_pinned() {
        for (const PinnedRegister &p : kPinned)
            mov(ptr[context(p.state_offset)], Xbyak::Reg64(p.host));
    }
    /// The frame being at rsp + delta.
    static Xbyak::Address fp_loaded(int delta) {
        return Xbyak::util::dword[Xbyak::util::rsp + delta +
                                  static_cast<int>(offsetof(Frame, fp_loaded))];
    }
    /// From now on ExecContext::mxcsr counts, and C++ code has its default.
    void save_fp(int delta) {
        Xbyak::Label is_saved;
        cmp(fp_loaded(delta), 0);
        je(is_saved);
        stmxcsr(ptr[CONTEXT(mxcsr)]);
        ldmxcsr(ptr[rip + default_mxcsr_]);
        mov(fp_loaded(delta), 0);
        L(is_saved);
    }
    template <typename F>
    void call_function(F *function) {
        mov(rax, reinterpret_cast<u64>(function));
        call(rax);
    }
    /// ctx.pc = address of the instruction in Frame::insn, the frame being at rsp + delta.
    void set_pc(int delta) {
        movzx(r10d, word[rsp + delta + static_cast<int>(offsetof(Frame, insn))]);
        add(r10, ptr[CONTEXT(pc_page)]);
        mov(ptr[CONTEXT(pc)], r10);
    }
    /// Leaves the block if pending_exit is set; the frame is at rsp + delta.
    /// ctx.budget = what is left before the instruction in Frame::insn: helpers count by it.
    void set_budget(int delta) {
        lea(r11, ptr[r14 + ir::kMaxBlockInstructions]);
        movzx(r10d, word[rsp + delta + static_cast<int>(offsetof(Frame, insn)) + 2]);
        sub(r11, r10);
        mov(ptr[CONTEXT(budget)], r11);
    }
    void leave_if_pending(int delta) {
        Xbyak::Label stay;
        cmp(dword[CONTEXT(pending_exit)], 0);
        je(stay);
        movzx(eax, word[rsp + delta + static_cast<int>(offsetof(Frame, insn)) + 2]);
        add(rsp, delta);
        not_(rax); // - (index + 1)
        add(r14, rax);
        jmp(exit_saved_, T_NEAR);
        L(stay);
    }

    u32 emit_constants() {
        const u32 start = here();
        const RuntimeConstants constants;
        db(reinterpret_cast<const uint8_t *>(&constants), sizeof constants);
        return start;
    }

    u32 emit_enter() {
        const u32 start = here();
        for (const Xbyak::Reg64 &r : {rbp, rbx, r12, r13, r14, r15}) push(r);
        sub(rsp, static_cast<u32>(sizeof(Frame)) + 8);
        lea(rbp, ptr[rdi + ExecContext::kContextBias]);
        mov(r14, ptr[CONTEXT(budget)]);
        sub(r14, ir::kMaxBlockInstructions);
        mov(fp_loaded(0), 0);
        load_pinned();
        jmp(rsi);
        return start;
    }

    void emit_exits(u32 &direct, u32 &rax_set, u32 &pc_set) {
        Xbyak::Label common, leave;
        direct = here();
        movsxd(rax, eax);
        add(rax, ptr[CONTEXT(pc_page)]);
        mov(ptr[CONTEXT(pc)], rax);
        jmp(common);
        rax_set = here();
        mov(ptr[CONTEXT(pc)], rax);
        pc_set = static_cast<u32>(getSize());
        xor_(ecx, ecx);
        xor_(edx, edx);
        L(common);
        store_pinned();
        save_fp(0);
        L(leave);
        add(r14, ir::kMaxBlockInstructions);
        mov(ptr[CONTEXT(budget)], r14);
        mov(rax, rcx);
        add(rsp, static_cast<u32>(sizeof(Frame)) + 8);
        for (const Xbyak::Reg64 &r : {r15, r14, r13, r12, rbx, rbp}) pop(r);
        ret();
        // All state, mxcsr included, is in the context already.
        align(16);
        L(exit_saved_);
        xor_(ecx, ecx);
        xor_(edx, edx);
        cmp(fp_loaded(0), 0);
        je(leave);
        ldmxcsr(ptr[rip + default_mxcsr_]);
        jmp(leave);
        align(4);
        L(default_mxcsr_);
        dd(kDefaultMxcsr);
    }

    /// A stub that preserves all registers around function(ctx, frame).
    template <typename F>
    u32 emit_out_of_line(F *function, bool saves_xmm, bool accesses_state) {
        const u32 start = here();
        constexpr int kDelta = 16; // return address and alignment
        sub(rsp, 8);
        const auto saved_gpr = [&](int r) {
            return ptr[rsp + kDelta + static_cast<int>(offsetof(Frame, gpr_save)) + r * 8];
        };
        const auto saved_xmm = [&](int r) {
            return ptr[rsp + kDelta + static_cast<int>(offsetof(Frame, xmm_save)) + r * 16];
        };
        for (int r = 0; r < 16; ++r)
            if ((kGprPool >> r & 1) != 0) mov(saved_gpr(r), Xbyak::Reg64(r));
        if (saves_xmm)
            for (int r = 0; r < 14; ++r) movaps(saved_xmm(r), Xbyak::Xmm(r));
        Xbyak::Label is_saved, is_restored;
        cmp(fp_loaded(kDelta), 0);
        je(is_saved);
        stmxcsr(ptr[CONTEXT(mxcsr)]);
        L(is_saved);
        if (accesses_state) {
            store_pinned();
            set_pc(kDelta);
        }
        lea(rdi, ptr[rbp - ExecContext::kContextBias]);
        lea(rsi, ptr[rsp + kDelta]);
        call_function(function);
        if (accesses_state) leave_if_pending(kDelta);
        cmp(fp_loaded(kDelta), 0);
        je(is_restored);
        ldmxcsr(ptr[CONTEXT(mxcsr)]); // drops flags raised by C++ code
        L(is_restored);
        for (int r = 0; r < 16; ++r)
            if ((kGprPool >> r & 1) != 0) mov(Xbyak::Reg64(r), saved_gpr(r));
        if (saves_xmm)
            for (int r = 0; r < 14; ++r) movaps(Xbyak::Xmm(r), saved_xmm(r));
        add(rsp, 8);
        ret();
        return start;
    }

    u32 emit_helper_call(bool may_exit) {
        const u32 start = here();
        constexpr int kDelta = 16;
        sub(rsp, 8);
        store_pinned();
        // The helper may read and change the control and flags in mxcsr. Compilers use FP
        // instructions for integer code, too, which raises flags of its own.
        save_fp(kDelta);
        if (may_exit) {
            set_pc(kDelta);
            set_budget(kDelta);
        }
        lea(rdi, ptr[rbp - ExecContext::kContextBias]);
        call(rax);
        if (may_exit) {
            mov(r10, rax);
            leave_if_pending(kDelta);
            mov(rax, r10);
        }
        load_pinned();
        add(rsp, 8);
        ret();
        return start;
    }
#undef CONTEXT

private:
    Xbyak::Label exit_saved_;
    Xbyak::Label default_mxcsr_;
};

} // namespace

Runtime::Runtime(CodeWindow window, HostFeatures features) : features_(features), window_(window) {
    CHECK(window.size >= kSize);
    StubEmitter emitter(window);
    auto stubs = std::make_shared<Stubs>();
    stubs->constants = emitter.emit_constants();
    stubs->enter = emitter.emit_enter();
    emitter.emit_exits(stubs->exit_direct, stubs->exit_rax, stubs->exit_pc_set);
    for (unsigned i = 0; i < 2; ++i) {
        stubs->memory[i] = emitter.emit_out_of_line(&memory_operation, i == 1, true);
        stubs->thunk[i] = emitter.emit_out_of_line(&thunk_operation, i == 1, false);
        stubs->helper[i] = emitter.emit_helper_call(i == 1);
    }
    enter_ = reinterpret_cast<decltype(enter_)>(
        reinterpret_cast<std::uintptr_t>(window.executable + stubs->enter));
    stubs_ = std::move(stubs);
}

} // namespace tandem::jit
