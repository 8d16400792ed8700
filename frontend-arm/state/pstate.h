#pragma once
/// PSTATE, its saved form, and what is derived from it.
#include "frontend-arm/state/arm_state.h"

namespace tandem::arm {

// Bits of SPSR_EL1 (Arm ARM C5.2, SPSR_EL1, from AArch64).
inline constexpr u64 kSpsrSp = 1u << 0, kSpsrElShift = 2, kSpsrAarch32 = 1u << 4,
                     kSpsrDaifShift = 6, kSpsrBtypeShift = 10, kSpsrSsbs = 1u << 12,
                     kSpsrIl = 1u << 20, kSpsrSs = 1u << 21, kSpsrPan = 1u << 22,
                     kSpsrUao = 1u << 23, kSpsrDit = 1u << 24;

// ArmState::daif.
inline constexpr u32 kDaifF = 1, kDaifI = 2, kDaifA = 4, kDaifD = 8;

// ExecContext::interrupt_lines.
inline constexpr u32 kLineIrq = 1, kLineFiq = 2, kLineSError = 4;

/// Brings ExecContext::mode and the low half of exec_tag up to date. Call after any change of
/// PSTATE.{EL, SP, PAN, UAO, IL, SS, D}.
void update_mode(ArmState &);

/// Recomputes what is derived from registers: after a change of SCTLR_EL1, TCR_EL1, CPACR_EL1,
/// FPCR, MDSCR_EL1, the OS locks, breakpoints or guarded_page_seen. Calls update_mode().
void update_controls(ArmState &);

/// PSTATE as an exception saves it.
[[nodiscard]] u64 spsr_from_pstate(const ArmState &);
/// The other way round, for a valid mode of EL0 or EL1. Exchanges no stack pointer and does not
/// call update_mode().
void set_pstate(ArmState &, u64 value);

/// Index into banked_sp of the stack pointer that gpr[31] holds.
[[nodiscard]] inline unsigned current_sp_bank(const ArmState &s) {
    return s.el & s.sp_select;
}

/// Changes EL and SP select, exchanging the stack pointer. Does not call update_mode().
inline void switch_stack(ArmState &s, u32 el, u32 sp_select) {
    s.banked_sp[current_sp_bank(s)] = s.gpr[31];
    s.el = el;
    s.sp_select = sp_select;
    s.gpr[31] = s.banked_sp[current_sp_bank(s)];
}

/// Value of SP_EL0 or SP_EL1, wherever it is now.
[[nodiscard]] inline u64 stack_pointer(const ArmState &s, unsigned bank) {
    return current_sp_bank(s) == bank ? s.gpr[31] : s.banked_sp[bank];
}

/// Writes FPCR (already masked to its implemented bits) and what derives from it.
void set_fpcr(ArmState &, u32 value);
/// FPSR with the host's lazily collected flags.
[[nodiscard]] u32 read_fpsr(const ArmState &);
void write_fpsr(ArmState &, u32 value);

/// Puts the CPU into its reset state: EL1h, MMU off, all interrupts masked, registers zero. Keeps
/// what binds the CPU to its board (environment, tables, memory) and `model`, which must be set.
/// mpidr is MPIDR_EL1 without its RES1 bit. Afterwards call
/// Environment::tlb->translation_changed().
void reset(ArmState &, u64 mpidr);

/// MPIDR_EL1 of the CPU with this index, as boards lay it out for GICv3 (16 CPUs per cluster) and
/// GICv2 (8).
[[nodiscard]] u64 mpidr_of(unsigned index, bool gic_v3);

} // namespace tandem::arm
