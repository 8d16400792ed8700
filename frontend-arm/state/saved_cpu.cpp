#include "frontend-arm/state/saved_cpu.h"

#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/state/environment.h"
#include "frontend-arm/state/pstate.h"
#include "frontend-arm/sysreg/sysreg.h"
#include "ir/tlb_control.h"
#include "support/check.h"

#include <algorithm>

namespace tandem::arm {
namespace {

/// The value is the CPU model's, or the board's: nothing the guest does changes it.
bool is_fixed(const SysReg &r) {
    return r.read == SysRegAction::Slot && r.write == SysRegAction::None &&
           r.id != reg::OSLSR_EL1; // OSLAR_EL1 changes it
}

} // namespace

SavedCpu save_cpu(const ArmState &s) {
    CHECK(s.slice == 0 && s.pending_exit == ir::PendingExit::None);
    SavedCpu saved;
    std::copy_n(s.gpr.begin(), saved.x.size(), saved.x.begin());
    saved.sp = {stack_pointer(s, 0), stack_pointer(s, 1)};
    saved.pc = s.pc;
    saved.pstate = spsr_from_pstate(s);
    saved.tco = static_cast<u8>(s.tco);
    saved.fpcr = s.fpcr;
    saved.fpsr = read_fpsr(s);
    std::ranges::transform(s.v, saved.v.begin(), &ir::Vec::d);
    saved.event = s.event_register.load() != 0;
    saved.guarded_page_seen = s.guarded_page_seen;
    saved.retired = s.retired;
    saved.pmu_filtered = s.pmu_filtered;
    saved.pmu_running = s.pmu_running;
    saved.pmu_base = s.pmu_base;
    for (unsigned id = 0; id < kSysRegCount; ++id)
        saved.registers.push_back({sysreg_info(static_cast<SysRegId>(id)).encoding, s.sysreg[id]});
    return saved;
}

Result<> restore_cpu(ArmState &s, const SavedCpu &saved) {
    for (const auto &[encoding, value] : saved.registers) {
        const SysReg *r = find_sysreg(encoding);
        if (r == nullptr || r->encoding != encoding)
            return failure("snapshot: it has a system register that this program does not know; "
                           "restore it with the program that made it");
        if (is_fixed(*r) && s.sysreg[r->id] != value)
            return failure("snapshot: its CPU has another " + std::string(r->name) +
                           "; restore it with the --cpu it was made with");
        s.sysreg[r->id] = value;
    }
    std::ranges::copy(saved.x, s.gpr.begin());
    set_pstate(s, saved.pstate);
    s.banked_sp = saved.sp;
    s.gpr[31] = s.banked_sp[current_sp_bank(s)];
    s.pc = saved.pc;
    s.tco = saved.tco & 1;
    std::ranges::transform(saved.v, s.v.begin(), [](const auto &d) { return ir::Vec{d}; });
    s.event_register = saved.event ? 1 : 0;
    s.guarded_page_seen = saved.guarded_page_seen;
    s.retired = saved.retired;
    s.pmu_filtered = saved.pmu_filtered;
    s.pmu_running = saved.pmu_running & static_cast<u32>(ones(kPmuCounters + 1));
    s.pmu_base = saved.pmu_base;
    write_fpsr(s, saved.fpsr);
    set_fpcr(s, saved.fpcr); // and all other controls
    ir::TlbControl &tlb = *s.environment->tlb;
    tlb.translation_changed(s);
    tlb.set_address_space(s, current_asid(s));
    return {};
}

} // namespace tandem::arm
