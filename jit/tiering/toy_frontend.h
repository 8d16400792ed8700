#pragma once
/// For tests: a guest architecture of a few four-byte instructions, {opcode, register, immediate}.
#include "ir/builder.h"
#include "ir/frontend.h"
#include "ir/memory_access.h"

#include <array>
#include <cstring>

namespace tandem::jit::test {

enum class Toy : u8 {
    Halt,          ///< PendingExit::Halt
    Add,           ///< x[r] += imm
    Branch,        ///< pc += 4 * imm
    BranchNonZero, ///< if x[r] != 0: pc += 4 * imm
    BranchTo,      ///< pc = x[r]
    Load,          ///< x[imm] = 64 bits at x[r]
    Store,         ///< 64 bits at x[r] = x[imm]
    Store32,       ///< 32 bits at x[r] = x[imm]
    StorePair,     ///< 128 bits at x[r] = x[imm], x[imm + 1]; then x[r] += 16
    Helper,        ///< helper imm(x[r]); the block goes on
    Barrier,       ///< helper imm(x[r]); the block ends
    Undefined,     ///< exception to kHandler
};

struct ToyInstruction {
    Toy op = Toy::Halt;
    u8 reg = 0;
    i16 imm = 0;
};
static_assert(sizeof(ToyInstruction) == 4);

class ToyFrontend final : public ir::Frontend {
public:
    explicit ToyFrontend(std::span<const ir::Helper> helpers) : helpers_(helpers) {}

    void translate(std::span<const std::byte, 4096> page, u32 page_offset, u32 mode,
                   u32 max_instructions, ir::Block &out) const override {
        ir::Builder b(out);
        out.page_offset = page_offset;
        out.mode = mode;
        const ir::MemoryOp op{.regime = (mode & 1) != 0 ? ir::Regime::Kernel : ir::Regime::User};
        const auto x = [](int n) { return static_cast<u64>(n & 31) * 8; };
        u32 offset = page_offset;
        for (u32 index = 0;; ++index) {
            if (index == max_instructions || offset == 4096) {
                b.Exit(offset);
                break;
            }
            ToyInstruction in;
            std::memcpy(&in, page.data() + offset, sizeof in);
            b.Insn(ir::insn_imm(offset, index));
            ++out.guest_instructions;
            const u64 next = offset + 4;
            const u64 target = offset + static_cast<u64>(i64{in.imm} * 4);
            const u64 word = static_cast<u64>(op.pack());
            offset += 4;
            bool ends = true;
            switch (in.op) {
            case Toy::Halt:
                b.Call1(b.PcRelative(next), 0);
                b.ExitDispatch();
                break;
            case Toy::Undefined:
                b.Call0(1);
                b.ExitDispatch();
                break;
            case Toy::Branch: b.Exit(target); break;
            case Toy::BranchTo: b.ExitIndirect(b.GetState64(x(in.reg))); break;
            case Toy::BranchNonZero:
                b.ExitIf(b.IsNonZero64(b.GetState64(x(in.reg))), target);
                b.Exit(next);
                break;
            case Toy::Barrier:
                b.Call1(b.GetState64(x(in.reg)), static_cast<u64>(in.imm));
                b.Exit(next);
                break;
            default: ends = false; break;
            }
            if (ends) break;
            switch (in.op) {
            case Toy::Add:
                b.SetState64(
                    b.Add64(b.GetState64(x(in.reg)), b.Const64(static_cast<u64>(i64{in.imm}))),
                    x(in.reg));
                break;
            case Toy::Load: b.SetState64(b.Load64(b.GetState64(x(in.reg)), word), x(in.imm)); break;
            case Toy::Store:
                b.Store64(b.GetState64(x(in.reg)), b.GetState64(x(in.imm)), word);
                break;
            case Toy::Store32:
                b.Store32(b.GetState64(x(in.reg)), b.GetState64(x(in.imm)), word);
                break;
            case Toy::StorePair: {
                const auto base = b.GetState64(x(in.reg));
                b.StorePair64(base, b.GetState64(x(in.imm)), b.GetState64(x(in.imm + 1)), word);
                b.SetState64(b.Add64(base, b.Const64(16)), x(in.reg));
                break;
            }
            case Toy::Helper: b.Call1(b.GetState64(x(in.reg)), static_cast<u64>(in.imm)); break;
            default: break;
            }
        }
        out.guest_bytes = offset - page_offset;
    }
    u32 privileged_mode_mask() const override { return 1; }
    std::span<const ir::Helper> helpers() const override { return helpers_; }
    std::string state_name(i64) const override { return {}; }

private:
    std::span<const ir::Helper> helpers_;
};

} // namespace tandem::jit::test
