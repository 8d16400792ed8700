#include "devices/gic/gicv3.h"
#include "devices/gic/gicv3_registers.h"

namespace tandem::devices {

using namespace gicv3::distributor;

// IHI 0069H 12.1.3: the distributor takes 32-bit accesses, byte accesses of priorities, and 64-bit
// accesses of GICD_IROUTER. Other widths are UNPREDICTABLE; here narrow ones work where the
// register allows it, and the rest are RAZ/WI.

bool GicV3::Distributor::read(u64 offset, unsigned size_log2, u64 &value) {
    value = 0;
    const u32 at = static_cast<u32>(offset);
    if (at >= static_cast<u32>(Register::IROUTER) && at < static_cast<u32>(Register::IROUTER_END)) {
        if (size_log2 >= 2) value = read_route(at, size_log2);
        return true;
    }
    if (size_log2 == 3) return true;
    const BankAddress address = decode_bank_register(at);
    if (address.kind == BankRegister::None) {
        value = gicv3::extract(read_word(at & ~3u), at, size_log2);
    } else if (address.bank >= 1 && address.bank <= gic_.spis_.size()) {
        // Bank 0, SGIs and PPIs, belongs to the redistributors.
        const std::scoped_lock lock(gic_.mutex_);
        value = gic_.spis_[address.bank - 1].read(address, size_log2);
    }
    return true;
}

bool GicV3::Distributor::write(u64 offset, unsigned size_log2, u64 value) {
    const u32 at = static_cast<u32>(offset);
    if (at >= static_cast<u32>(Register::IROUTER) && at < static_cast<u32>(Register::IROUTER_END)) {
        if (size_log2 >= 2) write_route(at, size_log2, value);
        return true;
    }
    if (size_log2 == 3) return true;
    const BankAddress address = decode_bank_register(at);
    if (address.kind == BankRegister::None) {
        if (size_log2 == 2) write_word(at, static_cast<u32>(value));
    } else if (address.bank >= 1 && address.bank <= gic_.spis_.size()) {
        gic_.write_spi_bank(address, size_log2, value);
    }
    return true;
}

u32 GicV3::Distributor::read_word(u32 offset) const {
    switch (static_cast<Register>(offset)) {
    case Register::CTLR: {
        const std::scoped_lock lock(gic_.mutex_);
        return gic_.control_ | CTLR_ARE | CTLR_DS;
    }
    case Register::TYPER: {
        const u32 lines =
            static_cast<u32>(gic_.spis_.size()); // 32 * (N + 1) INTIDs with the first 32
        const bool has_lpis = gic_.memory_ != nullptr;
        const u32 id_bits = (has_lpis ? LpiQueue::kIntidBits : 10) - 1;
        return lines | TYPER_MBIS | (has_lpis ? TYPER_LPIS : 0) | id_bits << 19 | TYPER_A3V;
    }
    case Register::IIDR: return gicv3::kImplementer;
    default:
        if (offset >= static_cast<u32>(Register::ID) && offset < 0x10000)
            return gicv3::identification(offset);
        return 0;
    }
}

void GicV3::Distributor::write_word(u32 offset, u32 value) {
    switch (static_cast<Register>(offset)) {
    case Register::CTLR: gic_.write_control(value); break;
    case Register::SETSPI_NSR:
    case Register::CLRSPI_NSR: {
        // Message-based SPIs: like a write of GICD_ISPENDR or GICD_ICPENDR.
        const u32 intid = value & SETSPI_NSR_INTID;
        if (intid < 32 || intid >= 32 + gic_.spi_count_) break;
        const BankRegister kind = offset == static_cast<u32>(Register::SETSPI_NSR)
                                      ? BankRegister::ISPENDR
                                      : BankRegister::ICPENDR;
        gic_.write_spi_bank({kind, intid / 32, 0}, 2, u32{1} << (intid % 32));
        break;
    }
    default: break;
    }
}

u64 GicV3::Distributor::read_route(u32 offset, unsigned size_log2) const {
    const u32 intid = (offset - static_cast<u32>(Register::IROUTER)) / 8;
    if (intid < 32 || intid >= 32 + gic_.spi_count_) return 0;
    const std::scoped_lock lock(gic_.mutex_);
    return (gic_.routes_[intid - 32] >> ((offset & 4) * 8)) & ones(8u << size_log2);
}

void GicV3::Distributor::write_route(u32 offset, unsigned size_log2, u64 value) {
    const u32 intid = (offset - static_cast<u32>(Register::IROUTER)) / 8;
    if (intid < 32 || intid >= 32 + gic_.spi_count_) return;
    const std::scoped_lock lock(gic_.mutex_);
    const u32 spi = intid - 32;
    u64 &route = gic_.routes_[spi];
    const unsigned low = (offset & 4) * 8;
    route = with_bits(route, low + (8u << size_log2) - 1, low, value) & kRouteMask;
    gic_.targets_[spi] = gic_.target_of_route(route);
    gic_.refresh_all(); // the old target and the new
}

void GicV3::write_control(u32 value) {
    const std::scoped_lock lock(mutex_);
    control_ = value & kWritableControl;
    for (u32 index = 0; index < cpus_.size(); ++index) {
        Cpu &cpu = *cpus_[index];
        const std::scoped_lock cpu_lock(cpu.mutex);
        cpu.distributor_groups = control_ & kGroupEnables;
        refresh_spis(index, cpu);
    }
}

void GicV3::write_spi_bank(BankAddress address, unsigned size_log2, u64 value) {
    const std::scoped_lock lock(mutex_);
    InterruptBank &bank = spis_[address.bank - 1];
    const u32 before = bank.ready();
    bank.write(address, size_log2, value, ~u32{0}, ~u32{0});
    const u32 changed = bank.ready() ^ before;
    // Priorities and groups reorder what was ready before. Otherwise only changes of readiness
    // count; one of them, a driver's mask or unmask, is the common case.
    if (address.kind == BankRegister::IPRIORITYR || address.kind == BankRegister::IGROUPR) {
        if (before != 0) refresh_all();
    } else if (std::has_single_bit(changed)) {
        refresh_targets((address.bank - 1) * 32 + static_cast<u32>(std::countr_zero(changed)));
    } else if (changed != 0) {
        refresh_all();
    }
}

} // namespace tandem::devices
