#include "devices/gic/gicv3.h"
#include "devices/gic/gicv3_registers.h"

namespace tandem::devices {

namespace {

enum Access : u8 { None = 0, ReadOnly = 1, WriteOnly = 2, ReadWrite = 3 };

enum class Icc : u32 {
#define ICC(name, op0, op1, crn, crm, op2, access)                                                 \
    name = (op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2),
#include "devices/gic/gicv3_system_registers.inc"
#undef ICC
};

/// INTIDs 1020 to 1023 are special; from there to the LPIs there is nothing.
[[nodiscard]] constexpr bool is_special(u32 intid) {
    return intid >= 1020 && intid < LpiQueue::kFirstIntid;
}

// ICC_CTLR_EL1
constexpr u64 kControlCbpr = 1 << 0;
constexpr u64 kControlEoiMode = 1 << 1;
constexpr u64 kControlPriorityBits = 4 << 8; // PRIbits: number of priority bits minus 1
constexpr u64 kControlA3v = 1 << 15;         // Aff3 may be nonzero in SGIs; IDbits 0: 16 bits
// ICC_SRE_EL1: system registers always, no bypass; RAO/WI
constexpr u64 kSystemRegisterEnable = 7;

/// Access of the S3_0_C12_CRm_op2 registers, by CRm<2:0>:op2; all but ICC_PMR_EL1 are there.
constexpr std::array<u8, 64> kAccess = [] {
    std::array<u8, 64> table{};
#define ICC(name, op0, op1, crn, crm, op2, access)                                                 \
    if ((crn) == 12) table[((crm) & 7) << 3 | (op2)] = access;
#include "devices/gic/gicv3_system_registers.inc"
#undef ICC
    return table;
}();
constexpr u32 kFirstRegister = static_cast<u32>(Icc::IAR0_EL1); // CRm is 8, so the low bits are 0

[[nodiscard]] bool allows(u32 encoding, Access wanted) {
    if ((encoding & ~0x3fu) == kFirstRegister) return (kAccess[encoding & 0x3f] & wanted) != 0;
    return encoding == static_cast<u32>(Icc::PMR_EL1);
}

} // namespace

u32 GicV3::acknowledge(u32 index, u32 group) {
    Cpu &cpu = *cpus_[index];
    {
        const std::scoped_lock lock(cpu.mutex);
        const PendingInterrupt best = cpu.best;
        // IHI 0069H, ICC_IAR1_EL1: 1023 also if the best pending interrupt is in the other group.
        if (best.group != group || !cpu.state.priority.admits(best)) return PendingInterrupt::kNone;
        if (best.intid < 32 || best.intid >= LpiQueue::kFirstIntid) {
            take_private(index, cpu, best);
            return best.intid;
        }
    }
    return take_spi(index, group);
}

void GicV3::take_private(u32 index, Cpu &cpu, const PendingInterrupt &best) {
    cpu.state.priority.activate(best);
    if (best.intid < 32)
        cpu.state.bank.activate(best.intid);
    else
        cpu.state.lpis.clear(best.intid); // LPIs have no active state
    update(index, cpu);
}

u32 GicV3::take_spi(u32 index, u32 group) {
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(mutex_);
    const std::scoped_lock cpu_lock(cpu.mutex);
    // The best interrupt may have changed since the caller looked.
    const PendingInterrupt best = cpu.best;
    if (best.group != group || !cpu.state.priority.admits(best)) return PendingInterrupt::kNone;
    if (best.intid < 32 || best.intid >= LpiQueue::kFirstIntid) {
        take_private(index, cpu, best);
    } else {
        cpu.state.priority.activate(best);
        spis_[best.intid / 32 - 1].activate(best.intid % 32);
        refresh_spis(index, cpu);
    }
    return best.intid;
}

void GicV3::end_of_interrupt(u32 index, u32 group, u64 value) {
    const u32 intid = static_cast<u32>(bits(value, 23, 0));
    if (is_special(intid)) return;
    Cpu &cpu = *cpus_[index];
    {
        const std::scoped_lock lock(cpu.mutex);
        if (!cpu.state.priority.drop(group)) return;
        const bool deactivates = !cpu.state.split_eoi;
        if (deactivates && intid < 32) {
            cpu.state.bank.deactivate(intid);
            update(index, cpu);
            return;
        }
        update_lines(index, cpu);
        if (!deactivates) return;
    }
    if (intid - 32 >= spi_count_) return;
    const std::scoped_lock lock(mutex_);
    spis_[intid / 32 - 1].deactivate(intid % 32);
    refresh_targets(intid - 32);
}

void GicV3::deactivate(u32 index, u64 value) {
    const u32 intid = static_cast<u32>(bits(value, 23, 0));
    if (is_special(intid)) return;
    Cpu &cpu = *cpus_[index];
    {
        const std::scoped_lock lock(cpu.mutex);
        // IHI 0069H, ICC_DIR_EL1: with EOImode 0 a write is UNPREDICTABLE; here it is ignored.
        if (!cpu.state.split_eoi) return;
        if (intid < 32) {
            cpu.state.bank.deactivate(intid);
            update(index, cpu);
            return;
        }
    }
    if (intid - 32 >= spi_count_) return;
    const std::scoped_lock lock(mutex_);
    spis_[intid / 32 - 1].deactivate(intid % 32);
    refresh_targets(intid - 32);
}

u32 GicV3::highest_pending(u32 index, u32 group) const {
    const Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    return cpu.best.group == group ? cpu.best.intid : PendingInterrupt::kNone;
}

void GicV3::send_sgi(u32 index, u32 group, u64 value) {
    const u32 intid = static_cast<u32>(bits(value, 27, 24));
    if (bit(value, 40)) { // IRM: all but self
        for (u32 other = 0; other < cpus_.size(); ++other)
            if (other != index) pend_sgi(other, group, intid);
        return;
    }
    if (bits(value, 47, 44) != 0) return; // RS: no Aff0 above 15
    const u32 cluster = static_cast<u32>(bits(value, 55, 48) << 24 | bits(value, 39, 32) << 16 |
                                         bits(value, 23, 16) << 8);
    for (u32 list = static_cast<u32>(bits(value, 15, 0)); list != 0; list &= list - 1) {
        const u32 target = find_cpu(cluster | static_cast<u32>(std::countr_zero(list)));
        if (target != kNoCpu) pend_sgi(target, group, intid);
    }
}

void GicV3::pend_sgi(u32 index, u32 group, u32 intid) {
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    InterruptBank &bank = cpu.state.bank;
    // IHI 0069H table 12-6: an SGI is generated only in the group it is configured for.
    if (((bank.group1 >> intid) & 1) != group) return;
    bank.latched |= u32{1} << intid;
    update(index, cpu);
}

void GicV3::set_group_enable(u32 index, u32 group, bool enabled) {
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(mutex_);
    {
        const std::scoped_lock cpu_lock(cpu.mutex);
        if (cpu.state.group_enabled[group] == enabled) return;
        cpu.state.group_enabled[group] = enabled;
    }
    group_cpus_[group] ^= u64{1} << index;
    refresh_all(); // 1-of-N interrupts may have another target now
}

bool GicV3::read_system_register(u32 index, u32 encoding, u64 &value) {
    if (!allows(encoding, ReadOnly)) return false;
    value = 0;
    switch (static_cast<Icc>(encoding)) {
    case Icc::IAR0_EL1: value = acknowledge(index, 0); return true;
    case Icc::IAR1_EL1: value = acknowledge(index, 1); return true;
    case Icc::HPPIR0_EL1: value = highest_pending(index, 0); return true;
    case Icc::HPPIR1_EL1: value = highest_pending(index, 1); return true;
    case Icc::SRE_EL1: value = kSystemRegisterEnable; return true;
    default: break;
    }
    const Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    const CpuPriority &priority = cpu.state.priority;
    switch (static_cast<Icc>(encoding)) {
    case Icc::PMR_EL1: value = priority.mask; break;
    case Icc::RPR_EL1: value = priority.running(); break;
    case Icc::BPR0_EL1: value = priority.read_binary_point(0); break;
    case Icc::BPR1_EL1: value = priority.read_binary_point(1); break;
    case Icc::AP0R0_EL1: value = priority.active[0]; break;
    case Icc::AP1R0_EL1: value = priority.active[1]; break;
    case Icc::IGRPEN0_EL1: value = cpu.state.group_enabled[0]; break;
    case Icc::IGRPEN1_EL1: value = cpu.state.group_enabled[1]; break;
    case Icc::CTLR_EL1:
        value = kControlPriorityBits | kControlA3v |
                (priority.common_binary_point ? kControlCbpr : 0) |
                (cpu.state.split_eoi ? kControlEoiMode : 0);
        break;
    default: break;
    }
    return true;
}

bool GicV3::write_system_register(u32 index, u32 encoding, u64 value) {
    if (!allows(encoding, WriteOnly)) return false;
    switch (static_cast<Icc>(encoding)) {
    case Icc::EOIR0_EL1: end_of_interrupt(index, 0, value); return true;
    case Icc::EOIR1_EL1: end_of_interrupt(index, 1, value); return true;
    case Icc::DIR_EL1: deactivate(index, value); return true;
    case Icc::SGI0R_EL1: send_sgi(index, 0, value); return true;
    case Icc::SGI1R_EL1: send_sgi(index, 1, value); return true;
    case Icc::ASGI1R_EL1: return true; // for the other security state, which there is not
    case Icc::SRE_EL1: return true;
    case Icc::IGRPEN0_EL1: set_group_enable(index, 0, bit(value, 0)); return true;
    case Icc::IGRPEN1_EL1: set_group_enable(index, 1, bit(value, 0)); return true;
    default: break;
    }
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    CpuPriority &priority = cpu.state.priority;
    switch (static_cast<Icc>(encoding)) {
    case Icc::PMR_EL1: priority.set_mask(value); break;
    case Icc::BPR0_EL1: priority.write_binary_point(0, value); break;
    case Icc::BPR1_EL1: priority.write_binary_point(1, value); break;
    case Icc::AP0R0_EL1: priority.active[0] = static_cast<u32>(value); break;
    case Icc::AP1R0_EL1: priority.active[1] = static_cast<u32>(value); break;
    case Icc::CTLR_EL1:
        priority.common_binary_point = (value & kControlCbpr) != 0;
        cpu.state.split_eoi = (value & kControlEoiMode) != 0;
        break;
    default: break;
    }
    update_lines(index, cpu);
    return true;
}

} // namespace tandem::devices
