#include "devices/gic/gicv2.h"

#include "devices/core/fdt_node.h"
#include "devices/gic/gicv2_registers.h"
#include "support/check.h"

#include <algorithm>

namespace tandem::devices {

namespace {
constexpr u32 kSgiMask = 0x0000ffff;
} // namespace

GicV2::GicV2(u32 cpus, u32 spi_count, const VcpuIdentity &identity, CpuInterruptSink &sink)
    : identity_(identity), sink_(sink) {
    CHECK(cpus >= 1 && cpus <= kMaxCpus);
    CHECK(spi_count % 32 == 0 && spi_count <= 960);
    cpus_.resize(cpus);
    lines_.resize(cpus);
    spis_.resize(spi_count / 32);
    targets_.resize(spi_count);
    reset();
}

void GicV2::reset() {
    const std::scoped_lock lock(mutex_);
    control_ = 0;
    // The wires keep their level: whoever drives them resets on its own.
    for (InterruptBank &bank : spis_) bank = InterruptBank{.level = bank.level};
    // IHI 0048B 4.3.12: on a uniprocessor the targets are fixed.
    std::ranges::fill(targets_, cpus_.size() == 1 ? u8{1} : u8{0});
    for (GicV2CpuState &cpu : cpus_) {
        const u32 level = cpu.bank.level;
        cpu = {};
        cpu.bank.level = level;
        cpu.bank.edge = kSgiMask;
        cpu.bank.enabled = kSgiMask; // SGIs are always enabled
    }
    update_all();
}

void GicV2::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, "gicv2",
               GicV2State{.control = control_, .spis = spis_, .targets = targets_, .cpus = cpus_});
}

Result<> GicV2::restore(StateReader &reader) {
    GicV2State state;
    if (auto result = restore_state(reader, "gicv2", state); !result) return result;
    if (state.cpus.size() != cpus_.size() || state.spis.size() != spis_.size() ||
        state.targets.size() != targets_.size())
        return failure("snapshot: it is of a machine with another number of CPUs or interrupts");
    const std::scoped_lock lock(mutex_);
    control_ = state.control & gicv2::distributor::kGroupEnables;
    spis_ = std::move(state.spis);
    targets_ = std::move(state.targets);
    cpus_ = std::move(state.cpus);
    for (u32 index = 0; index < cpus_.size(); ++index) {
        cpus_[index].priority.sanitize();
        lines_[index] = {};
        sink_.set_interrupt_lines(index, false, false);
    }
    update_all();
    return {};
}

FdtNode &GicV2::describe(FdtNode &parent, GuestPhysAddr distributor,
                         GuestPhysAddr cpu_interface) const {
    FdtNode &node = parent.child(fdt_unit_name("intc", distributor));
    node.strings("compatible", {"arm,cortex-a15-gic"});
    node.flag("interrupt-controller");
    node.cells("#interrupt-cells", {3});
    node.cells("#address-cells", {2});
    node.cells("#size-cells", {2});
    node.flag("ranges");
    node.cells("reg", {fdt_high(distributor.value()), fdt_low(distributor.value()), 0,
                       fdt_low(kDistributorSize), fdt_high(cpu_interface.value()),
                       fdt_low(cpu_interface.value()), 0, fdt_low(kCpuInterfaceSize)});
    node.phandle();
    return node;
}

// ------------------------------------------------------------------------------------- delivery

u32 GicV2::current_cpu() const {
    return std::min(identity_.current(), static_cast<u32>(cpus_.size()) - 1);
}

u32 GicV2::targeting(u32 cpu, u32 bank_index) const {
    u32 mask = 0;
    for (u32 rest = spis_[bank_index - 1].ready(); rest != 0; rest &= rest - 1) {
        const u32 index = static_cast<u32>(std::countr_zero(rest));
        mask |= u32{(targets_[(bank_index - 1) * 32 + index] & (1u << cpu)) != 0} << index;
    }
    return mask;
}

PendingInterrupt GicV2::best(u32 cpu) const {
    PendingInterrupt best;
    const u32 groups = control_ & cpus_[cpu].control & gicv2::distributor::kGroupEnables;
    const auto in_groups = [groups](const InterruptBank &bank) {
        return ((groups & 2) != 0 ? bank.group1 : 0) | ((groups & 1) != 0 ? ~bank.group1 : 0);
    };
    if (groups == 0) return best;
    const InterruptBank &own = cpus_[cpu].bank;
    best.consider(own, 0, own.ready() & in_groups(own));
    for (u32 index = 1; index < bank_count(); ++index) {
        const InterruptBank &bank = spis_[index - 1];
        if (bank.ready() != 0)
            best.consider(bank, index * 32, targeting(cpu, index) & in_groups(bank));
    }
    return best;
}

void GicV2::update(u32 index) {
    const GicV2CpuState &cpu = cpus_[index];
    const PendingInterrupt interrupt = best(index);
    const bool signalled = cpu.priority.admits(interrupt);
    // IHI 0048B, GICC_CTLR.FIQEn: Group 0 is signalled as FIQ if set; Group 1 always as IRQ.
    const bool as_fiq = interrupt.group == 0 && (cpu.control & gicv2::cpu::CTLR_FIQEn) != 0;
    const bool irq = signalled && !as_fiq;
    const bool fiq = signalled && as_fiq;
    Lines &lines = lines_[index];
    if (irq == lines.irq && fiq == lines.fiq) return;
    lines = {.irq = irq, .fiq = fiq};
    sink_.set_interrupt_lines(index, irq, fiq);
}

void GicV2::update_all() {
    for (u32 index = 0; index < cpus_.size(); ++index) update(index);
}

void GicV2::set_level(u32 spi, bool level) {
    if (spi >= targets_.size()) return;
    const std::scoped_lock lock(mutex_);
    InterruptBank &bank = spis_[spi / 32];
    const u32 before = bank.ready();
    bank.set_level(spi % 32, level);
    if (bank.ready() != before) update_all();
}

void GicV2::set_ppi(u32 index, u32 intid, bool level) {
    if (index >= cpus_.size() || intid >= 32) return;
    const std::scoped_lock lock(mutex_);
    InterruptBank &bank = cpus_[index].bank;
    const u32 before = bank.ready();
    bank.set_level(intid, level);
    if (bank.ready() != before) update(index);
}

void GicV2::set_sgi_sources(u32 index, u32 sgi, u8 sources) {
    GicV2CpuState &cpu = cpus_[index];
    cpu.sgi_sources[sgi] = sources;
    const u32 mask = u32{1} << sgi;
    cpu.bank.latched = sources != 0 ? cpu.bank.latched | mask : cpu.bank.latched & ~mask;
}

void GicV2::send_sgi(u32 sender, u32 value) {
    using namespace gicv2::distributor;
    const u32 all = static_cast<u32>(ones(static_cast<unsigned>(cpus_.size())));
    const u32 self = 1u << sender;
    u32 targets = 0;
    switch (bits32(value, 25, 24)) { // TargetListFilter
    case 0: targets = bits32(value, 23, 16) & all; break;
    case 1: targets = all & ~self; break;
    case 2: targets = self; break;
    default: break; // reserved
    }
    const u32 sgi = value & SGIR_SGIINTID;
    for (; targets != 0; targets &= targets - 1) {
        const u32 target = static_cast<u32>(std::countr_zero(targets));
        set_sgi_sources(target, sgi, static_cast<u8>(cpus_[target].sgi_sources[sgi] | self));
        update(target);
    }
}

} // namespace tandem::devices
