#include "devices/gic/gicv2.h"
#include "devices/gic/gicv2_registers.h"

namespace tandem::devices {

using namespace gicv2::distributor;

namespace {

bool is_target_register(u32 offset) {
    return offset >= static_cast<u32>(Register::ITARGETSR) &&
           offset < static_cast<u32>(Register::ITARGETSR_END);
}

bool is_sgi_pending_register(u32 offset) {
    return offset >= static_cast<u32>(Register::CPENDSGIR) &&
           offset < static_cast<u32>(Register::SPENDSGIR_END);
}

} // namespace

// IHI 0048B 4.1.4: 32-bit accesses everywhere, bytes for priorities, targets and pending SGIs.
// Other widths work where the register allows it; 64-bit accesses are RAZ/WI.

bool GicV2::Distributor::read(u64 offset, unsigned size_log2, u64 &value) {
    value = 0;
    if (size_log2 == 3) return true;
    const u32 at = static_cast<u32>(offset);
    const std::scoped_lock lock(gic_.mutex_);
    const u32 cpu = gic_.current_cpu();
    if (is_target_register(at)) {
        for (u32 i = 0; i < (1u << size_log2); ++i)
            value |= u64{read_target(at - static_cast<u32>(Register::ITARGETSR) + i, cpu)}
                     << (i * 8);
        return true;
    }
    if (is_sgi_pending_register(at)) {
        for (u32 i = 0; i < (1u << size_log2); ++i)
            value |= u64{gic_.cpus_[cpu].sgi_sources[(at + i) & 15]} << (i * 8);
        return true;
    }
    const BankAddress address = decode_bank_register(at);
    if (address.kind == BankRegister::None)
        value = (read_word(at & ~3u) >> ((at & 3) * 8)) & ones(8u << size_log2);
    else if (address.bank < gic_.bank_count())
        value = gic_.bank_of(cpu, address.bank).read(address, size_log2);
    return true;
}

u32 GicV2::Distributor::read_word(u32 offset) const {
    switch (static_cast<Register>(offset)) {
    case Register::CTLR: return gic_.control_;
    case Register::TYPER:
        return static_cast<u32>(gic_.spis_.size()) | // 32 * (N + 1) INTIDs with the first 32
               (static_cast<u32>(gic_.cpus_.size()) - 1) << 5;
    case Register::IIDR: return gicv2::kImplementer;
    default: break;
    }
    if (offset < static_cast<u32>(Register::ID)) return 0;
    static constexpr std::array<u8, 12> kBytes{0x04, 0, 0,    0,    0x90, 0xb4,
                                               0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return kBytes[(offset - static_cast<u32>(Register::ID)) / 4 % kBytes.size()];
}

u8 GicV2::Distributor::read_target(u32 intid, u32 cpu) const {
    // IHI 0048B 4.3.12: those of SGIs and PPIs show who reads; on a uniprocessor all are RAZ/WI.
    if (gic_.cpus_.size() == 1) return 0;
    if (intid < 32) return static_cast<u8>(1u << cpu);
    return intid - 32 < gic_.targets_.size() ? gic_.targets_[intid - 32] : u8{0};
}

bool GicV2::Distributor::write(u64 offset, unsigned size_log2, u64 value) {
    if (size_log2 == 3) return true;
    const u32 at = static_cast<u32>(offset);
    const std::scoped_lock lock(gic_.mutex_);
    const u32 cpu = gic_.current_cpu();
    if (is_target_register(at)) {
        const u8 all = static_cast<u8>(ones(static_cast<unsigned>(gic_.cpus_.size())));
        for (u32 i = 0; i < (1u << size_log2); ++i) {
            const u32 intid = at - static_cast<u32>(Register::ITARGETSR) + i;
            if (intid >= 32 && intid - 32 < gic_.targets_.size() && gic_.cpus_.size() > 1)
                gic_.targets_[intid - 32] = static_cast<u8>(value >> (i * 8)) & all;
        }
        gic_.update_all();
        return true;
    }
    if (is_sgi_pending_register(at)) {
        const bool sets = at >= static_cast<u32>(Register::SPENDSGIR);
        for (u32 i = 0; i < (1u << size_log2); ++i) {
            const u32 sgi = (at + i) & 15;
            const u8 old = gic_.cpus_[cpu].sgi_sources[sgi];
            const u8 change = static_cast<u8>(value >> (i * 8));
            gic_.set_sgi_sources(cpu, sgi, static_cast<u8>(sets ? old | change : old & ~change));
        }
        gic_.update(cpu);
        return true;
    }
    const BankAddress address = decode_bank_register(at);
    if (address.kind != BankRegister::None)
        write_bank(cpu, address, size_log2, value);
    else if (size_log2 == 2)
        write_word(at, static_cast<u32>(value));
    return true;
}

void GicV2::Distributor::write_bank(u32 cpu, BankAddress address, unsigned size_log2, u64 value) {
    if (address.bank >= gic_.bank_count()) return;
    constexpr u32 kPpiMask = 0xffff0000;
    // IHI 0048B 4.3.7: SGIs are made pending by SGIR and SPENDSGIR only; they are always enabled
    // and always edge.
    const u32 changeable = address.bank == 0 ? kPpiMask : ~u32{0};
    InterruptBank &bank = gic_.bank_of(cpu, address.bank);
    bank.write(address, size_log2, value, changeable, changeable);
    if (address.bank == 0) bank.enabled |= ~kPpiMask;
    if (address.bank == 0)
        gic_.update(cpu);
    else
        gic_.update_all();
}

void GicV2::Distributor::write_word(u32 offset, u32 value) {
    switch (static_cast<Register>(offset)) {
    case Register::CTLR:
        gic_.control_ = value & kGroupEnables;
        gic_.update_all();
        break;
    case Register::SGIR: gic_.send_sgi(gic_.current_cpu(), value); break;
    default: break;
    }
}

} // namespace tandem::devices
