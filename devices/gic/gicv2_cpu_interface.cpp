#include "devices/gic/gicv2.h"
#include "devices/gic/gicv2_registers.h"

namespace tandem::devices {

using namespace gicv2::cpu;

namespace {
/// GICC_IAR: the best pending interrupt is in Group 1 and this register cannot take it.
constexpr u32 kGroup1Pending = 1022;
constexpr u32 kFirstSpecialIntid = 1020;
} // namespace

u32 GicV2::visible_intid(u32 cpu, const PendingInterrupt &interrupt, bool alias) const {
    if (interrupt.intid == PendingInterrupt::kNone) return PendingInterrupt::kNone;
    // IHI 0048B 4.4.4 and 4.4.12: IAR takes Group 0, and Group 1 too if AckCtl is set; AIAR takes
    // Group 1.
    if (alias) return interrupt.group == 1 ? interrupt.intid : PendingInterrupt::kNone;
    if (interrupt.group == 1 && (cpus_[cpu].control & CTLR_AckCtl) == 0) return kGroup1Pending;
    return interrupt.intid;
}

u32 GicV2::acknowledge(u32 index, bool alias) {
    GicV2CpuState &cpu = cpus_[index];
    const PendingInterrupt interrupt = best(index);
    if (!cpu.priority.admits(interrupt)) return PendingInterrupt::kNone;
    const u32 intid = visible_intid(index, interrupt, alias);
    if (intid >= kFirstSpecialIntid) return intid;
    cpu.priority.activate(interrupt);
    bank_of(index, intid / 32).activate(intid % 32);
    u32 source = 0;
    if (intid < 16) {
        // An SGI from several CPUs is taken once for each; the lowest-numbered first.
        const u8 sources = cpu.sgi_sources[intid];
        source = static_cast<u32>(std::countr_zero(sources)) & 7;
        set_sgi_sources(index, intid, static_cast<u8>(sources & (sources - 1)));
    }
    if (intid < 32)
        update(index);
    else
        update_all(); // the other targets have lost it
    return intid | source << 10;
}

u32 GicV2::highest_pending(u32 index, bool alias) const {
    const PendingInterrupt interrupt = best(index);
    const u32 intid = visible_intid(index, interrupt, alias);
    if (intid >= 16) return intid;
    return intid | (static_cast<u32>(std::countr_zero(cpus_[index].sgi_sources[intid])) & 7) << 10;
}

void GicV2::end_of_interrupt(u32 index, u32 value, bool alias) {
    const u32 intid = value & IAR_InterruptID;
    if (intid >= kFirstSpecialIntid || intid / 32 >= bank_count()) return;
    GicV2CpuState &cpu = cpus_[index];
    // IHI 0048B 4.4.5: with AckCtl, EOIR ends interrupts of both groups; otherwise each register
    // its own.
    u32 group = alias ? 1 : 0;
    if (!alias && (cpu.control & CTLR_AckCtl) != 0)
        group = (bank_of(index, intid / 32).group1 >> (intid % 32)) & 1;
    if (!cpu.priority.drop(group)) return;
    if ((cpu.control & CTLR_EOImode) == 0)
        deactivate(index, intid);
    else
        update(index);
}

void GicV2::deactivate(u32 index, u32 intid) {
    bank_of(index, intid / 32).deactivate(intid % 32);
    if (intid < 32)
        update(index);
    else
        update_all();
}

bool GicV2::CpuInterface::read(u64 offset, unsigned size_log2, u64 &value) {
    value = 0;
    if (size_log2 != 2) return true; // IHI 0048B 4.1.4: 32-bit accesses only
    const std::scoped_lock lock(gic_.mutex_);
    value = read_word(gic_.current_cpu(), static_cast<u32>(offset));
    return true;
}

bool GicV2::CpuInterface::write(u64 offset, unsigned size_log2, u64 value) {
    if (size_log2 != 2) return true;
    const std::scoped_lock lock(gic_.mutex_);
    write_word(gic_.current_cpu(), static_cast<u32>(offset), static_cast<u32>(value));
    return true;
}

u32 GicV2::CpuInterface::read_word(u32 index, u32 offset) {
    const GicV2CpuState &cpu = gic_.cpus_[index];
    const CpuPriority &priority = cpu.priority;
    switch (static_cast<Register>(offset)) {
    case Register::CTLR: return cpu.control;
    case Register::PMR: return priority.mask;
    case Register::BPR: return priority.binary_point[0];
    case Register::ABPR: return priority.binary_point[1];
    case Register::IAR: return gic_.acknowledge(index, false);
    case Register::AIAR: return gic_.acknowledge(index, true);
    case Register::RPR: return priority.running();
    case Register::HPPIR: return gic_.highest_pending(index, false);
    case Register::AHPPIR: return gic_.highest_pending(index, true);
    case Register::APR0: return priority.active[0];
    case Register::NSAPR0: return priority.active[1];
    case Register::IIDR: return gicv2::kImplementer | gicv2::kArchitecture;
    default: return 0;
    }
}

void GicV2::CpuInterface::write_word(u32 index, u32 offset, u32 value) {
    GicV2CpuState &cpu = gic_.cpus_[index];
    CpuPriority &priority = cpu.priority;
    switch (static_cast<Register>(offset)) {
    case Register::CTLR:
        cpu.control = value & kWritableControl;
        priority.common_binary_point = (value & CTLR_CBPR) != 0;
        break;
    case Register::PMR: priority.set_mask(value); break;
    case Register::BPR: priority.write_binary_point(0, value); break;
    case Register::ABPR: priority.write_binary_point(1, value); break;
    case Register::EOIR: gic_.end_of_interrupt(index, value, false); return;
    case Register::AEOIR: gic_.end_of_interrupt(index, value, true); return;
    case Register::APR0: priority.active[0] = value; break;
    case Register::NSAPR0: priority.active[1] = value; break;
    case Register::DIR: {
        const u32 intid = value & IAR_InterruptID;
        // IHI 0048B 4.4.15: ignored (UNPREDICTABLE) unless EOImode is set.
        if ((cpu.control & CTLR_EOImode) != 0 && intid < kFirstSpecialIntid &&
            intid / 32 < gic_.bank_count())
            gic_.deactivate(index, intid);
        return;
    }
    default: return;
    }
    gic_.update(index);
}

} // namespace tandem::devices
