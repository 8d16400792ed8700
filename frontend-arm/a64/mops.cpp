// FEAT_MOPS: CPYP/CPYM/CPYE and SETP/SETM/SETE, "option A" of the architecture (Arm ARM C6.2.*).
//
// Between the instructions of a sequence, Xn holds minus the number of bytes left and Xd and Xs the
// ends of the blocks; or, for copies that go backward, Xn the bytes left and Xd and Xs the starts.
// The prologue only sets this up, the main part moves everything.
#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "ir/memory_access.h"

#include <algorithm>

namespace tandem::arm::a64 {
namespace {

/// One call moves no more than this, then lets the dispatcher look for interrupts.
constexpr u64 kMaxBytesPerCall = 64 * 1024;
constexpr u64 kPageSize = 4096;

enum class Stage : u8 { Prologue, Main, Epilogue };

struct Operation {
    bool is_set = false;
    bool is_forward_only = false; ///< CPYF
    Stage stage = Stage::Prologue;
    u32 options = 0; ///< bit 0: unprivileged writes, bit 1: unprivileged reads (CPY)
    unsigned d = 0, s = 0, n = 0;

    explicit Operation(u32 word) {
        // The rows of the table differ in these fields only.
        const u32 op1 = bits32(word, 23, 22);
        is_set = op1 == 3;
        is_forward_only = !bit(word, 26);
        stage = static_cast<Stage>(is_set ? bits32(word, 15, 14) : op1);
        options = is_set ? bits32(word, 13, 12) : bits32(word, 15, 12);
        d = bits32(word, 4, 0);
        n = bits32(word, 9, 5);
        s = bits32(word, 20, 16);
    }

    /// ISS of the Memory Copy and Memory Set exception: Xn's format is not option A's.
    [[nodiscard]] u32 wrong_option_iss() const {
        constexpr u32 kWrongOption = 1u << 17;
        constexpr u32 kOptionA = 1u << 16;
        return (is_set ? 1u << 24 : 0) | options << 19 | (stage == Stage::Epilogue ? 1u << 18 : 0) |
               kWrongOption | kOptionA | d << 10 | s << 5 | n;
    }
};

/// Bytes from address to the end of its page.
u64 page_room(u64 address) {
    return kPageSize - address % kPageSize;
}
/// Bytes from the start of its page up to (not including) the end address.
u64 page_room_below(u64 end) {
    return (end - 1) % kPageSize + 1;
}

class Mover {
public:
    Mover(ArmState &state, const Operation &op) : state_(state), memory_(*state.memory) {
        const Mode mode{state.mode};
        write_.regime = (op.options & 1) != 0 ? mode.unprivileged_regime() : mode.regime();
        read_.regime =
            !op.is_set && (op.options & 2) != 0 ? mode.unprivileged_regime() : mode.regime();
    }

    [[nodiscard]] bool failed() const { return state_.pending_exit != ir::PendingExit::None; }

    // Each moves 16 bytes or 1 and returns how many; 0 when the access faulted.

    u64 copy(u64 to, u64 from, u64 room) {
        if (room >= 16) {
            const ir::Vec value = memory_.load128(state_, from, read_);
            if (failed()) return 0;
            memory_.store128(state_, to, value, write_);
            return failed() ? 0 : 16;
        }
        const u64 value = memory_.load(state_, from, 0, read_);
        if (failed()) return 0;
        memory_.store(state_, to, 0, value, write_);
        return failed() ? 0 : 1;
    }

    u64 set(u64 to, u8 value, u64 room) {
        if (room >= 16) {
            const u64 repeated = value * u64{0x0101010101010101};
            memory_.store128(state_, to, ir::Vec{{repeated, repeated}}, write_);
            return failed() ? 0 : 16;
        }
        memory_.store(state_, to, 0, value, write_);
        return failed() ? 0 : 1;
    }

private:
    ArmState &state_;
    ir::MemoryAccess &memory_;
    ir::MemoryOp read_, write_;
};

/// Arm ARM, IsMemCpyForward(): backward only if the destination overlaps the source's tail.
bool copies_forward(u64 to, u64 from, u64 size) {
    const u64 to_address = bits(to, 55, 0);
    const u64 from_address = bits(from, 55, 0);
    return !(to_address > from_address && to_address < from_address + size);
}

void prologue(ArmState &s, const Operation &op) {
    u64 &destination = s.gpr[op.d];
    u64 &count = s.gpr[op.n];
    s.flags = 0; // NZCV = 0b0000: option A
    if (op.is_set || op.is_forward_only) {
        count = std::min(count, ones(63));
    } else {
        count = std::min(count, ones(55));
        if (!copies_forward(destination, s.gpr[op.s], count)) return;
    }
    destination += count;
    if (!op.is_set) s.gpr[op.s] += count;
    count = u64{0} - count;
}

void move_forward(ArmState &s, const Operation &op, Mover &mover) {
    u64 &count = s.gpr[op.n]; // minus the bytes left
    const u64 to_end = s.gpr[op.d];
    const u64 from_end = op.s == 31 ? 0 : s.gpr[op.s];
    for (u64 moved = 0; count != 0;) {
        if (moved >= kMaxBytesPerCall) {
            s.pending_exit = ir::PendingExit::Resume; // the same instruction again
            return;
        }
        const u64 to = to_end + count;
        const u64 left = u64{0} - count;
        u64 step = 0;
        if (op.is_set) {
            step = mover.set(to, static_cast<u8>(from_end), std::min(left, page_room(to)));
        } else {
            const u64 from = from_end + count;
            step = mover.copy(to, from, std::min({left, page_room(to), page_room(from)}));
        }
        if (step == 0) return;
        count += step;
        moved += step;
    }
}

void move_backward(ArmState &s, const Operation &op, Mover &mover) {
    u64 &count = s.gpr[op.n]; // the bytes left
    for (u64 moved = 0; count != 0;) {
        if (moved >= kMaxBytesPerCall) {
            s.pending_exit = ir::PendingExit::Resume;
            return;
        }
        const u64 to = s.gpr[op.d] + count;
        const u64 from = s.gpr[op.s] + count;
        const u64 room = std::min({count, page_room_below(to), page_room_below(from)});
        const u64 size = room >= 16 ? 16 : 1;
        const u64 step = mover.copy(to - size, from - size, room);
        if (step == 0) return;
        count -= step;
        moved += step;
    }
}

} // namespace

u64 memory_copy_set(ir::ExecContext &context, u64, u64, u64, u64, u64 imm) {
    ArmState &s = static_cast<ArmState &>(context);
    const Operation op(static_cast<u32>(imm));
    // Arm ARM, CheckMOPSEnabled(): SCTLR_EL1.MSCEn.
    if (s.el == 0 && !bit(s.sysreg[reg::SCTLR_EL1], 33)) {
        take_undefined(s);
        return 0;
    }
    if (op.stage == Stage::Prologue) {
        prologue(s, op);
        return 0;
    }
    if ((s.flags & ir::kFlagC) != 0) {
        take_exception(s, ExceptionClass::Mops, op.wrong_option_iss(), s.pc);
        return 0;
    }
    Mover mover(s, op);
    if (op.is_set || op.is_forward_only || static_cast<i64>(s.gpr[op.n]) < 0)
        move_forward(s, op, mover);
    else
        move_backward(s, op, mover);
    return 0;
}

} // namespace tandem::arm::a64
