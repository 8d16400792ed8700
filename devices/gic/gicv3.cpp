#include "devices/gic/gicv3.h"

#include "devices/core/fdt_node.h"
#include "devices/gic/gicv3_registers.h"
#include "support/check.h"

#include <algorithm>

namespace tandem::devices {

GicV3::GicV3(GicV3Config config, CpuInterruptSink &sink)
    : affinities_(std::move(config.affinities)), spi_count_(config.spi_count), sink_(sink),
      memory_(config.memory) {
    CHECK(!affinities_.empty() && affinities_.size() <= kMaxCpus);
    CHECK(spi_count_ % 32 == 0 && spi_count_ <= 960);
    for (std::size_t i = 0; i < affinities_.size(); ++i) cpus_.push_back(std::make_unique<Cpu>());
    spis_.resize(spi_count_ / 32);
    routes_.resize(spi_count_);
    targets_.resize(spi_count_);
    reset();
}

void GicV3::reset() {
    const std::scoped_lock lock(mutex_);
    control_ = 0;
    group_cpus_ = {};
    // The wires keep their level: whoever drives them resets on its own.
    for (InterruptBank &bank : spis_) bank = InterruptBank{.level = bank.level};
    std::ranges::fill(routes_, 0);
    std::ranges::fill(targets_, target_of_route(0));
    for (u32 index = 0; index < cpus_.size(); ++index) {
        Cpu &cpu = *cpus_[index];
        const std::scoped_lock cpu_lock(cpu.mutex);
        const u32 level = cpu.state.bank.level;
        cpu.state = {};
        cpu.state.bank.level = level;
        cpu.state.bank.edge = gicv3::kSgiMask; // IHI 0069H, GICR_ICFGR0: SGIs are always edge
        cpu.distributor_groups = 0;
        refresh_spis(index, cpu);
    }
}

void GicV3::save(StateWriter &writer) const {
    GicV3State state;
    const std::scoped_lock lock(mutex_);
    state.control = control_;
    state.spis = spis_;
    state.routes = routes_;
    for (const auto &cpu : cpus_) {
        const std::scoped_lock cpu_lock(cpu->mutex);
        state.cpus.push_back(cpu->state);
    }
    save_state(writer, "gicv3", state);
}

Result<> GicV3::restore(StateReader &reader) {
    GicV3State state;
    if (auto result = restore_state(reader, "gicv3", state); !result) return result;
    if (state.cpus.size() != cpus_.size() || state.spis.size() != spis_.size() ||
        state.routes.size() != routes_.size())
        return failure("snapshot: it is of a machine with another number of CPUs or interrupts");

    const std::scoped_lock lock(mutex_);
    control_ = state.control & gicv3::distributor::kWritableControl;
    spis_ = state.spis;
    for (u32 spi = 0; spi < spi_count_; ++spi) {
        routes_[spi] = state.routes[spi] & kRouteMask;
        targets_[spi] = target_of_route(routes_[spi]);
    }
    group_cpus_ = {};
    for (u32 index = 0; index < cpus_.size(); ++index) {
        for (u32 group = 0; group < 2; ++group)
            group_cpus_[group] |= u64{state.cpus[index].group_enabled[group]} << index;
    }
    for (u32 index = 0; index < cpus_.size(); ++index) {
        Cpu &cpu = *cpus_[index];
        const std::scoped_lock cpu_lock(cpu.mutex);
        cpu.state = state.cpus[index];
        cpu.state.priority.sanitize();
        cpu.state.lpis.sanitize();
        cpu.distributor_groups = control_ & gicv3::distributor::kGroupEnables;
        cpu.irq = cpu.fiq = false;
        sink_.set_interrupt_lines(index, false, false);
        refresh_spis(index, cpu);
    }
    return {};
}

FdtNode &GicV3::describe(FdtNode &parent, GuestPhysAddr distributor,
                         GuestPhysAddr redistributors) const {
    FdtNode &node = parent.child(fdt_unit_name("intc", distributor));
    node.strings("compatible", {"arm,gic-v3"});
    node.flag("interrupt-controller");
    node.cells("#interrupt-cells", {3});
    node.cells("#address-cells", {2});
    node.cells("#size-cells", {2});
    node.flag("ranges");
    node.cells("#redistributor-regions", {1});
    const u64 redistributors_size = cpus_.size() * kRedistributorSize;
    node.cells("reg", {fdt_high(distributor.value()), fdt_low(distributor.value()), 0,
                       fdt_low(kDistributorSize), fdt_high(redistributors.value()),
                       fdt_low(redistributors.value()), fdt_high(redistributors_size),
                       fdt_low(redistributors_size)});
    node.phandle();
    return node;
}

// ------------------------------------------------------------------------------------- delivery

void GicV3::update_lines(u32 index, Cpu &cpu) {
    // One security state: Group 0 is signalled as FIQ, Group 1 as IRQ (IHI 0069H 4.6.2).
    const bool signalled = cpu.state.priority.admits(cpu.best);
    const bool fiq = signalled && cpu.best.group == 0;
    const bool irq = signalled && cpu.best.group == 1;
    if (irq == cpu.irq && fiq == cpu.fiq) return;
    cpu.irq = irq;
    cpu.fiq = fiq;
    sink_.set_interrupt_lines(index, irq, fiq);
}

void GicV3::update(u32 index, Cpu &cpu) {
    PendingInterrupt best;
    const InterruptBank &bank = cpu.state.bank;
    if (const u32 ready = bank.ready(); ready != 0)
        best.consider(bank, 0, ready & in_groups(bank, enabled_groups(cpu)));
    if (cpu.best_spi.priority < best.priority) best = cpu.best_spi;
    if (const PendingInterrupt lpi = cpu.state.lpis.best();
        lpi.priority < best.priority && (enabled_groups(cpu) & 2) != 0)
        best = lpi;
    cpu.best = best;
    update_lines(index, cpu);
}

void GicV3::refresh_spis(u32 index, Cpu &cpu) {
    PendingInterrupt best;
    const u32 groups = enabled_groups(cpu);
    for (u32 bank_index = 0; bank_index < spis_.size(); ++bank_index) {
        const InterruptBank &bank = spis_[bank_index];
        u32 candidates = bank.ready();
        if (candidates == 0) continue;
        candidates &= in_groups(bank, groups);
        for (u32 rest = candidates; rest != 0; rest &= rest - 1) {
            const u32 bit_index = static_cast<u32>(std::countr_zero(rest));
            if (!takes_spi(index, bank_index * 32 + bit_index)) candidates &= ~(1u << bit_index);
        }
        best.consider(bank, 32 + bank_index * 32, candidates);
    }
    cpu.best_spi = best;
    update(index, cpu);
}

bool GicV3::takes_spi(u32 index, u32 spi) const {
    const u32 target = targets_[spi];
    if (target != kAnyCpu) return target == index;
    // 1-of-N: the first CPU that has enabled the interrupt's group.
    const u32 group = (spis_[spi / 32].group1 >> (spi % 32)) & 1;
    return group_cpus_[group] != 0 &&
           static_cast<u32>(std::countr_zero(group_cpus_[group])) == index;
}

void GicV3::refresh_targets(u32 spi) {
    if (const u32 target = targets_[spi]; target < cpus_.size()) {
        Cpu &cpu = *cpus_[target];
        const std::scoped_lock cpu_lock(cpu.mutex);
        refresh_spis(target, cpu);
    } else if (target == kAnyCpu) {
        refresh_all();
    }
}

void GicV3::refresh_all() {
    for (u32 index = 0; index < cpus_.size(); ++index) {
        Cpu &cpu = *cpus_[index];
        const std::scoped_lock cpu_lock(cpu.mutex);
        refresh_spis(index, cpu);
    }
}

u32 GicV3::find_cpu(u32 affinity) const {
    // Boards number CPUs by sixteens in Aff1; try that guess before searching.
    const u32 guess = ((affinity >> 8) & 0xff) * 16 + (affinity & 0xff);
    if (guess < affinities_.size() && affinities_[guess] == affinity) return guess;
    const auto found = std::ranges::find(affinities_, affinity);
    return found == affinities_.end() ? kNoCpu : static_cast<u32>(found - affinities_.begin());
}

u32 GicV3::target_of_route(u64 route) const {
    if ((route & kRouteAny) != 0) return kAnyCpu;
    return find_cpu(static_cast<u32>(bits(route, 39, 32) << 24 | bits(route, 23, 0)));
}

// ---------------------------------------------------------------------------------------- wires

void GicV3::set_level(u32 spi, bool level) {
    if (spi >= spi_count_) return;
    const std::scoped_lock lock(mutex_);
    InterruptBank &bank = spis_[spi / 32];
    const u32 before = bank.ready();
    bank.set_level(spi % 32, level);
    if (bank.ready() != before) refresh_targets(spi);
}

void GicV3::set_ppi(u32 index, u32 intid, bool level) {
    if (index >= cpus_.size() || intid >= 32) return;
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    const u32 before = cpu.state.bank.ready();
    cpu.state.bank.set_level(intid, level);
    if (cpu.state.bank.ready() != before) update(index, cpu);
}

// ----------------------------------------------------------------------------------------- LPIs

void GicV3::pend_lpi(u32 index, u32 intid) {
    if (index >= cpus_.size() || memory_ == nullptr) return;
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    cpu.state.lpis.pend(intid, *memory_);
    update(index, cpu);
}

void GicV3::clear_lpi(u32 index, u32 intid) {
    if (index >= cpus_.size()) return;
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    cpu.state.lpis.clear(intid);
    update(index, cpu);
}

void GicV3::move_lpi(u32 from, u32 to, u32 intid) {
    if (from >= cpus_.size() || to >= cpus_.size() || from == to) return;
    {
        Cpu &cpu = *cpus_[from];
        const std::scoped_lock lock(cpu.mutex);
        if (!cpu.state.lpis.is_pending(intid)) return;
        cpu.state.lpis.clear(intid);
        update(from, cpu);
    }
    pend_lpi(to, intid);
}

void GicV3::move_lpis(u32 from, u32 to) {
    if (from >= cpus_.size() || to >= cpus_.size() || from == to || memory_ == nullptr) return;
    std::vector<u32> moved;
    {
        Cpu &cpu = *cpus_[from];
        const std::scoped_lock lock(cpu.mutex);
        moved = cpu.state.lpis.take_all();
        update(from, cpu);
    }
    Cpu &cpu = *cpus_[to];
    const std::scoped_lock lock(cpu.mutex);
    for (const u32 intid : moved) cpu.state.lpis.pend(intid, *memory_);
    update(to, cpu);
}

void GicV3::reread_lpi(u32 index, u32 intid) {
    if (index >= cpus_.size() || memory_ == nullptr) return;
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    cpu.state.lpis.reread(intid, *memory_);
    update(index, cpu);
}

void GicV3::reread_lpis(u32 index) {
    if (index >= cpus_.size() || memory_ == nullptr) return;
    Cpu &cpu = *cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    cpu.state.lpis.reread_all(*memory_);
    update(index, cpu);
}

} // namespace tandem::devices
