#include "machine/profile/frame_walker.h"

namespace tandem::machine::profile {
namespace {

constexpr bool is_upper(u64 va) {
    return (va >> 55 & 1) != 0;
}

class Walker {
public:
    Walker(StackMemory &memory, const StackStart &start, Sample &sample)
        : memory_(memory), start_(start), sample_(sample) {}

    /// Of one exception level. Returns where its last record is, if that record is empty.
    u64 follow(u64 frame, bool is_kernel) {
        for (u32 jumps = 0; frame != 0 && frame % 8 == 0 && !sample_.is_full();) {
            std::array<u64, 2> record{};
            if (!memory_.read(frame, record)) break;
            const auto [previous, link] = record;
            if (link == 0) return previous == 0 ? frame : 0;
            const u64 address = strip(link);
            // Firmware and kernels without an MMU are in the lower half, programs always.
            if (address % 4 != 0 || (is_upper(address) && !is_kernel)) break;
            sample_.push(address);
            // Stacks grow down. A kernel goes from one of its stacks to another now and then.
            if (previous <= frame && (!is_kernel || ++jumps > kMaxJumps)) break;
            frame = previous;
        }
        return 0;
    }

    /// Linux (arch/arm64/include/asm/ptrace.h): the last record of a task's kernel stack is inside
    /// the registers that were saved on entry, behind X0-X30, SP, PC, PSTATE, and 4 more words.
    void enter_user(u64 last_record) {
        constexpr u64 kFrame = 29 * 8, kProgramCounter = 32 * 8, kRecord = 38 * 8;
        std::array<u64, 5> saved{}; // X29, X30, SP, PC, PSTATE
        static_assert(kProgramCounter == kFrame + 3 * 8);
        if (!memory_.read(last_record - kRecord + kFrame, saved)) return;
        const auto [frame, link, stack, pc, pstate] = saved;
        // PSTATE.M says EL0 in AArch64 state, and what is reserved is zero (Arm ARM C5.2.19).
        constexpr u64 kModeBits = 0x1f, kReserved = ~u64{0xffff'ffff};
        if ((pstate & (kModeBits | kReserved)) != 0 || pc == 0 || pc % 4 != 0 || is_upper(pc))
            return;
        sample_.push(pc);
        follow(frame, false);
    }

private:
    static constexpr u32 kMaxJumps = 4;

    [[nodiscard]] u64 strip(u64 link) const {
        const bool upper = is_upper(link);
        const u64 bits = start_.code_bits[upper];
        return upper ? link | bits : link & ~bits;
    }

    StackMemory &memory_;
    const StackStart &start_;
    Sample &sample_;
};

} // namespace

void walk_stack(StackMemory &memory, const StackStart &start, Sample &sample) {
    Walker walker(memory, start, sample);
    sample.depth = 0;
    sample.link = start.link;
    sample.push(start.pc);
    const u64 last_record = walker.follow(start.frame, start.is_kernel);
    sample.kernel_depth = start.is_kernel ? sample.depth : 0;
    if (start.is_kernel && last_record != 0) walker.enter_user(last_record);
}

} // namespace tandem::machine::profile
