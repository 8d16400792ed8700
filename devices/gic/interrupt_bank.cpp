#include "devices/gic/interrupt_bank.h"

#include <cstring>

namespace tandem::devices {

BankAddress decode_bank_register(u32 offset) {
    // Families of one bit per INTID are 0x80 bytes each, from GICD_IGROUPR at 0x080.
    if (offset >= 0x080 && offset < 0x400) {
        const u32 family = offset / 0x80 - 1;
        return {static_cast<BankRegister>(family), (offset & 0x7f) / 4, offset & 3};
    }
    if (offset >= 0x400 && offset < 0x800)
        return {BankRegister::IPRIORITYR, (offset - 0x400) / 32, offset & 31};
    if (offset >= 0xc00 && offset < 0xd00)
        return {BankRegister::ICFGR, (offset - 0xc00) / 8, offset & 7};
    return {};
}

namespace {

/// ICFGR has two bits per INTID, of which the upper one says "edge".
u64 spread_edge_bits(u32 edge) {
    u64 result = 0;
    for (unsigned index = 0; index < 32; ++index)
        result |= static_cast<u64>((edge >> index) & 1) << (index * 2 + 1);
    return result;
}

u32 gather_edge_bits(u64 configuration) {
    u32 result = 0;
    for (unsigned index = 0; index < 32; ++index)
        result |= static_cast<u32>((configuration >> (index * 2 + 1)) & 1) << index;
    return result;
}

} // namespace

u64 InterruptBank::read(BankAddress address, unsigned size_log2) const {
    u64 value = 0;
    switch (address.kind) {
    case BankRegister::IGROUPR: value = group1; break;
    case BankRegister::ISENABLER:
    case BankRegister::ICENABLER: value = enabled; break;
    case BankRegister::ISPENDR:
    case BankRegister::ICPENDR: value = pending(); break;
    case BankRegister::ISACTIVER:
    case BankRegister::ICACTIVER: value = active; break;
    case BankRegister::IPRIORITYR:
        std::memcpy(&value, &priority[address.byte], std::size_t{1} << size_log2);
        return value;
    case BankRegister::ICFGR: value = spread_edge_bits(edge); break;
    case BankRegister::None: break;
    }
    return (value >> (address.byte * 8)) & ones(8u << size_log2);
}

void InterruptBank::write(BankAddress address, unsigned size_log2, u64 value, u32 pendable,
                          u32 configurable) {
    if (address.kind == BankRegister::IPRIORITYR) {
        for (unsigned i = 0; i < (1u << size_log2); ++i)
            priority[address.byte + i] = static_cast<u8>(value >> (i * 8)) & kPriorityMask;
        return;
    }
    const u64 mask = ones(8u << size_log2) << (address.byte * 8);
    const u64 shifted = (value << (address.byte * 8)) & mask;
    const u32 mask32 = static_cast<u32>(mask);
    const u32 shifted32 = static_cast<u32>(shifted);
    switch (address.kind) {
    case BankRegister::IGROUPR: group1 = (group1 & ~mask32) | shifted32; break;
    case BankRegister::ISENABLER: enabled |= shifted32; break;
    case BankRegister::ICENABLER: enabled &= ~shifted32; break;
    case BankRegister::ISPENDR: latched |= shifted32 & pendable; break;
    case BankRegister::ICPENDR: latched &= ~(shifted32 & pendable); break;
    case BankRegister::ISACTIVER: active |= shifted32; break;
    case BankRegister::ICACTIVER: active &= ~shifted32; break;
    case BankRegister::ICFGR: {
        const u32 affected = gather_edge_bits(mask) & configurable;
        edge = (edge & ~affected) | (gather_edge_bits(shifted) & affected);
        break;
    }
    case BankRegister::IPRIORITYR:
    case BankRegister::None: break;
    }
}

} // namespace tandem::devices
