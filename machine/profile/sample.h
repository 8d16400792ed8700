#pragma once
/// What a profiler knows of one moment of one CPU. Plain data: signal handlers fill it in.
#include "jit/runtime/activity.h"
#include "support/bits.h"

#include <array>
#include <span>

namespace tandem::machine::profile {

struct Sample {
    static constexpr u32 kMaxFrames = 126;

    u64 weight = 0; ///< nanoseconds of CPU time, or guest instructions
    jit::Activity activity = jit::Activity::Outside;
    bool has_guest = false;      ///< else nothing below is known
    u64 space = 0;               ///< TTBR0_EL1, with the address space identifier
    u64 vectors = 0;             ///< VBAR_EL1: tells where a kernel is
    u64 vectors_physical = 0;    ///< 0: not known
    u64 task = 0;                ///< SP_EL0 while the kernel runs: in Linux, the task's structure
    std::array<char, 16> name{}; ///< the task's; empty: not known
    u64 link = 0;                ///< the link register: in a leaf function, the return address
    u32 depth = 0;
    u32 kernel_depth = 0; ///< so many frames are the kernel's, innermost first; the rest a user's
    std::array<u64, kMaxFrames> frames; ///< the next instruction, then return addresses

    void push(u64 address) {
        if (depth < kMaxFrames) frames[depth++] = address;
    }
    [[nodiscard]] bool is_full() const { return depth == kMaxFrames; }
};

} // namespace tandem::machine::profile
