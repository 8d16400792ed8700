#include "frontend-arm/exceptions/exceptions.h"

#include "frontend-arm/pmu/pmu.h"
#include "frontend-arm/state/cpu_model.h"

namespace tandem::arm {

namespace {

constexpr u64 kSctlrSpan = u64{1} << 23;
constexpr u64 kSctlrDssbs = u64{1} << 44;

/// Offsets from VBAR_EL1 by kind (Arm ARM D1.3.1); the source adds 0x000, 0x200 or 0x400.
constexpr u64 kVectorSync = 0x000, kVectorIrq = 0x080, kVectorFiq = 0x100, kVectorSError = 0x180;

void enter_el1(ArmState &s, u64 vector, u64 spsr, u64 return_address) {
    s.sysreg[reg::SPSR_EL1] = spsr;
    s.sysreg[reg::ELR_EL1] = return_address;
    if (s.el == 0) {
        vector += 0x400;
    } else if (s.sp_select != 0) {
        vector += 0x200;
    }
    switch_stack(s, 1, 1);
    const u64 sctlr = s.sysreg[reg::SCTLR_EL1];
    const FeatureSet features = s.model->features();
    if (features.has(Feature::PAN) && (sctlr & kSctlrSpan) == 0) s.pan = 1;
    if (features.has(Feature::SSBS)) s.ssbs = (sctlr & kSctlrDssbs) != 0;
    s.uao = s.btype = s.software_step = s.illegal = 0;
    s.daif = 0xf;
    s.pc = (s.sysreg[reg::VBAR_EL1] & ~u64{0x7ff}) + vector;
    s.pending_exit = ir::PendingExit::Resume;
    if (s.pmu_filtered) pmu_el_changed(s);
    update_mode(s);
}

} // namespace

void take_exception(ArmState &s, ExceptionClass exception, u32 iss, u64 return_address,
                    ReturnTo return_to) {
    u64 spsr = spsr_from_pstate(s);
    // The step is used up when the instruction has executed, and not when it will execute again.
    // The mode bits tell what PSTATE.SS was before it.
    const Mode mode{s.mode};
    if (mode.has(Mode::kSingleStep)) {
        spsr &= ~kSpsrSs;
        if (return_to == ReturnTo::Same && mode.has(Mode::kSsBit)) spsr |= kSpsrSs;
    }
    s.sysreg[reg::ESR_EL1] = static_cast<u32>(exception) << 26 | kIl32Bit | iss;
    enter_el1(s, kVectorSync, spsr, return_address);
}

void take_exception_with_address(ArmState &s, ExceptionClass exception, u32 iss, u64 far,
                                 u64 return_address) {
    s.sysreg[reg::FAR_EL1] = far;
    take_exception(s, exception, iss, return_address);
}

void take_undefined(ArmState &s) {
    take_exception(s, ExceptionClass::Unknown, 0, s.pc);
}

bool take_interrupt(ArmState &s) {
    if (!interrupt_deliverable(s)) return false;
    const u32 lines = s.interrupt_lines.load(std::memory_order_acquire);
    u64 vector = kVectorIrq;
    if ((lines & kLineSError) != 0 && (s.daif & kDaifA) == 0) {
        vector = kVectorSError;
        // IDS = 1: the syndrome is implementation defined, and says nothing.
        s.sysreg[reg::ESR_EL1] =
            static_cast<u32>(ExceptionClass::SError) << 26 | kIl32Bit | 1u << 24;
    } else if ((lines & kLineFiq) != 0 && (s.daif & kDaifF) == 0) {
        vector = kVectorFiq;
    }
    enter_el1(s, vector, spsr_from_pstate(s), s.pc);
    return true;
}

bool should_wake(const ArmState &s) {
    if (s.interrupt_lines.load(std::memory_order_acquire) != 0) return true;
    return s.waits_for_event && s.event_register.load(std::memory_order_acquire) != 0;
}

void finish_wait(ArmState &s) {
    if (s.waits_for_event) s.event_register.store(0, std::memory_order_release);
    s.waits_for_event = false;
    s.pending_exit = ir::PendingExit::None;
}

} // namespace tandem::arm
