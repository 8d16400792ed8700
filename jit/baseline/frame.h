#pragma once
/// Register conventions of translated code and the layout of its stack frame.
///
///   rbp            context pointer + ExecContext::kContextBias
///   r14            budget - ir::kMaxBlockInstructions
///   rsp            Frame, allocated by the entry trampoline
///   kPinned        guest registers that stay in host registers from block to block
///   rax, rcx       scratch within one IR instruction, as are xmm14 and xmm15
///   all others     hold values within a block
#include "ir/exec_context.h"

#include <array>
#include <cstddef>

namespace tandem::jit {

/// Host registers by number: 0-15 the general ones, 16-31 xmm0-15.
using HostReg = i8;
inline constexpr HostReg kNoReg = -1;
inline constexpr HostReg kRax = 0, kRcx = 1, kRdx = 2, kRbx = 3, kRsi = 6, kRdi = 7;
inline constexpr HostReg kFirstXmm = 16;

/// A guest register kept in a callee-saved host register across blocks.
struct PinnedRegister {
    HostReg host;
    u64 state_offset;
};
/// x0-x2 and the stack pointer.
inline constexpr std::array<PinnedRegister, 4> kPinned{{
    {kRbx, 0 * 8},
    {12, 1 * 8},
    {13, 2 * 8},
    {15, 31 * 8},
}};
inline constexpr u32 kPinnedMask = [] {
    u32 mask = 0;
    for (const PinnedRegister &p : kPinned) mask |= 1u << p.host;
    return mask;
}();
/// Registers that hold values of the block; C++ code may change them all.
inline constexpr u32 kGprPool = 1u << kRdx | 1u << kRsi | 1u << kRdi | 0xfu << 8;
inline constexpr u32 kXmmPool = 0x3fffu << kFirstXmm;
inline constexpr int kScratchXmm0 = 14, kScratchXmm1 = 15;

inline constexpr unsigned kSpillSlots = 512;

/// What rsp points to in translated code. The first 128 bytes have short displacements.
struct alignas(16) Frame {
    std::array<ir::Vec, 4> args;   ///< of an operation done out of line
    std::array<ir::Vec, 2> result; ///< and what it returns
    u64 imm;                       ///< its immediate
    u32 insn;                      ///< page offset of the guest instruction | its index << 16
    u32 opcode;
    u32 fp_loaded; ///< not 0: the host's mxcsr is the guest's; else ExecContext::mxcsr is
    std::array<u64, 16> gpr_save;
    std::array<ir::Vec, 16> xmm_save;
    std::array<ir::Vec, kSpillSlots> spill;
};
static_assert(offsetof(Frame, fp_loaded) < 128 && sizeof(Frame) % 16 == 0);

} // namespace tandem::jit
