#include "frontend-arm/mmu/walk.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/state/cpu_model.h"

#include <algorithm>
#include <atomic>

namespace tandem::arm {

namespace {

using ir::AccessKind;
using ir::Regime;

constexpr u64 kSctlrM = 1u << 0, kSctlrWxn = 1u << 19;

// Descriptor bits.
constexpr unsigned kDescAp1 = 6, kDescAp2 = 7, kDescAf = 10, kDescNg = 11, kDescGp = 50,
                   kDescDbm = 51, kDescPxn = 53, kDescUxn = 54;
constexpr unsigned kTablePxn = 59, kTableUxn = 60, kTableAp0 = 61, kTableAp1 = 62;

WalkResult fault(FaultStatus status, unsigned level = 0) {
    WalkResult result;
    result.faults = true;
    result.status = static_cast<u8>(static_cast<unsigned>(status) | level);
    return result;
}

/// log2 of the granule: TCR_EL1.TG0 and TG1 are encoded differently; reserved values act as 4 KiB.
unsigned granule_bits(u64 tcr, bool upper) {
    if (upper) {
        const u64 tg1 = bits(tcr, 31, 30);
        return tg1 == 1 ? 14 : tg1 == 3 ? 16 : 12;
    }
    const u64 tg0 = bits(tcr, 15, 14);
    return tg0 == 1 ? 16 : tg0 == 2 ? 14 : 12;
}

/// TCR_EL1.IPS, no wider than the model's physical addresses. 52 bits (FEAT_LPA) act as 48.
unsigned output_address_bits(const ArmState &s, u64 tcr) {
    static constexpr std::array<u8, 8> kWidths = {32, 36, 40, 42, 44, 48, 48, 48};
    return std::min<unsigned>(kWidths[bits(tcr, 34, 32)], s.model->physical_address_bits());
}

/// A descriptor in guest memory.
class Descriptor {
public:
    explicit Descriptor(ir::PhysicalBus &bus) : bus_(bus) {}
    /// False: external abort.
    [[nodiscard]] bool read(u64 address, u64 &value) {
        address_ = address;
        std::byte *page = bus_.page(address & ~u64{0xfff}, writable_);
        if (page == nullptr) {
            host_ = nullptr;
            return bus_.read(address, 3, value);
        }
        host_ = reinterpret_cast<u64 *>(page + (address & 0xff8));
        value = std::atomic_ref(*host_).load(std::memory_order_acquire);
        return true;
    }
    enum class Update : u8 { Done, Changed, Unsupported };
    /// Atomically, if the descriptor still is `expected` (Arm ARM D8.4.6).
    [[nodiscard]] Update update(u64 expected, u64 desired) {
        if (host_ == nullptr || !writable_) return Update::Unsupported;
        if (!std::atomic_ref(*host_).compare_exchange_strong(expected, desired))
            return Update::Changed;
        bus_.has_written(address_, sizeof desired);
        return Update::Done;
    }

private:
    ir::PhysicalBus &bus_;
    u64 address_ = 0;
    u64 *host_ = nullptr;
    bool writable_ = false;
};

/// Stage 1 disabled: flat, data is Device-nGnRnE, code is Normal (Arm ARM D8.2.10).
WalkResult translate_flat(const ArmState &s, u64 va, AccessKind kind) {
    const u64 tcr = s.sysreg[reg::TCR_EL1];
    const bool tagged = top_byte_ignored(tcr, is_upper_half(va), kind == AccessKind::Execute);
    const u64 address = tagged ? va & ones(56) : va;
    if ((address >> s.model->physical_address_bits()) != 0) return fault(FaultStatus::AddressSize);
    WalkResult result;
    result.physical = address;
    result.attributes = kind == AccessKind::Execute ? 0xff : 0;
    result.shareability = 2;
    ir::PageMapping &mapping = result.mapping;
    mapping.physical = address & ~u64{0xfff};
    mapping.readable = mapping.writable = mapping.executable = mapping.global = true;
    mapping.device = true;
    return result;
}

struct Permissions {
    bool readable, writable, executable;
};

/// Arm ARM D8.4: from the combined attributes of the leaf and its tables.
Permissions permissions(const ArmState &s, Regime regime, bool user_access, bool read_only,
                        bool user_never, bool privileged_never) {
    const bool wxn = (s.sysreg[reg::SCTLR_EL1] & kSctlrWxn) != 0;
    const bool user_writable = user_access && !read_only;
    if (regime == Regime::User) {
        return {user_access, user_writable, !user_never && !(wxn && user_writable)};
    }
    // What EL0 can write, EL1 does not execute.
    const bool executable = !privileged_never && !user_writable && !(wxn && !read_only);
    const bool denied = regime == Regime::KernelNoUser && user_access;
    return {!denied, !read_only && !denied, executable};
}

bool allowed(const Permissions &p, AccessKind kind) {
    switch (kind) {
    case AccessKind::Load: return p.readable;
    case AccessKind::Store: return p.writable;
    case AccessKind::Execute: return p.executable;
    }
    return false;
}

/// One attempt; false if a descriptor changed under a hardware update, then walk again.
bool try_walk(const ArmState &s, ir::PhysicalBus &bus, u64 va, WalkAccess access,
              WalkResult &result) {
    const u64 tcr = s.sysreg[reg::TCR_EL1];
    const bool upper = is_upper_half(va);
    const bool is_fetch = access.kind == AccessKind::Execute;
    const unsigned input_bits = input_address_bits(tcr, upper);
    const unsigned top = top_byte_ignored(tcr, upper, is_fetch) ? 55 : 63;
    const u64 extension = bits(va, top, input_bits);
    const bool e0pd =
        access.regime == Regime::User && s.model->has(Feature::E0PD) && bit(tcr, upper ? 56 : 55);
    if (extension != (upper ? ones(top - input_bits + 1) : 0) ||
        bit(tcr, upper ? 23 : 7) /* EPD */ || e0pd) {
        result = fault(FaultStatus::Translation, 0);
        return true;
    }

    const unsigned granule = granule_bits(tcr, upper);
    const unsigned stride = granule - 3;
    const unsigned output_bits = output_address_bits(s, tcr);
    const unsigned levels = (input_bits - granule + stride - 1) / stride;
    unsigned level = 4 - levels;
    const unsigned base_low = 3 + input_bits - (4 - level - 1) * stride - granule;
    const u64 ttbr = s.sysreg[upper ? reg::TTBR1_EL1 : reg::TTBR0_EL1] & ones(48);
    if ((ttbr >> output_bits) != 0) {
        result = fault(FaultStatus::AddressSize, 0);
        return true;
    }
    u64 table = ttbr & ~ones(std::max(base_low, 6u));

    const bool hierarchical = !(s.model->has(Feature::HPDS) && bit(tcr, upper ? 42 : 41));
    const bool hardware_af = s.model->has(Feature::HAFDBS) && bit(tcr, 39);
    const bool hardware_dirty = hardware_af && bit(tcr, 40);
    bool table_no_user = false, table_read_only = false, table_uxn = false, table_pxn = false;

    Descriptor descriptor(bus);
    u64 value = 0;
    unsigned low = 0; // the leaf maps 1 << low bytes
    for (unsigned high = input_bits;; ++level) {
        low = granule + (3 - level) * stride;
        const u64 address = table | bits(va, high - 1, low) << 3;
        if (!descriptor.read(address, value)) {
            result = fault(FaultStatus::ExternalAbortOnWalk, level);
            return true;
        }
        if (!bit(value, 0)) break;
        const bool is_table_or_page = bit(value, 1);
        if (level == 3) {
            if (!is_table_or_page) value = 0; // reserved encoding
            break;
        }
        if (!is_table_or_page) {
            // Blocks: level 1 and 2 with 4 KiB, level 2 alone with 16 and 64 KiB granules.
            if (level == 0 || (level == 1 && granule != 12)) value = 0;
            break;
        }
        table = value & ones(48) & ~ones(granule);
        if ((table >> output_bits) != 0) {
            result = fault(FaultStatus::AddressSize, level);
            return true;
        }
        if (hierarchical) {
            table_no_user |= bit(value, kTableAp0);
            table_read_only |= bit(value, kTableAp1);
            table_uxn |= bit(value, kTableUxn);
            table_pxn |= bit(value, kTablePxn);
        }
        high = low;
    }
    if (!bit(value, 0)) {
        result = fault(FaultStatus::Translation, level);
        return true;
    }
    const u64 output = value & ones(48) & ~ones(low);
    if ((output >> output_bits) != 0) {
        result = fault(FaultStatus::AddressSize, level);
        return true;
    }
    if (!bit(value, kDescAf) && !hardware_af) {
        result = fault(FaultStatus::AccessFlag, level);
        return true;
    }

    const bool clean = bit(value, kDescAp2) && bit(value, kDescDbm) && hardware_dirty;
    const bool read_only = (bit(value, kDescAp2) && !clean) || table_read_only;
    const Permissions p =
        permissions(s, access.regime, bit(value, kDescAp1) && !table_no_user, read_only,
                    bit(value, kDescUxn) || table_uxn, bit(value, kDescPxn) || table_pxn);
    if (!allowed(p, access.kind)) {
        result = fault(FaultStatus::Permission, level);
        return true;
    }

    const bool becomes_dirty = clean && access.kind == AccessKind::Store;
    if (access.updates_descriptors && (!bit(value, kDescAf) || becomes_dirty)) {
        u64 updated = value | u64{1} << kDescAf;
        if (becomes_dirty) updated &= ~(u64{1} << kDescAp2);
        switch (descriptor.update(value, updated)) {
        case Descriptor::Update::Done: break;
        case Descriptor::Update::Changed: return false;
        case Descriptor::Update::Unsupported:
            result = fault(FaultStatus::UnsupportedAtomicUpdate);
            return true;
        }
    }

    result = {};
    result.physical = output | (va & ones(low));
    const unsigned attribute_index = static_cast<unsigned>(bits(value, 4, 2));
    result.attributes = static_cast<u8>(s.sysreg[reg::MAIR_EL1] >> (8 * attribute_index));
    result.shareability = static_cast<u8>(bits(value, 9, 8));
    ir::PageMapping &mapping = result.mapping;
    mapping.physical = result.physical & ~u64{0xfff};
    mapping.size_log2 = static_cast<u8>(low);
    mapping.readable = p.readable;
    mapping.writable = p.writable && (!clean || becomes_dirty);
    mapping.executable = p.executable;
    mapping.device = (result.attributes >> 4) == 0;
    mapping.global = !bit(value, kDescNg);
    if (bit(value, kDescGp) && s.model->has(Feature::BTI)) mapping.mode_bits = Mode::kGuardedPage;
    return true;
}

} // namespace

WalkResult walk(const ArmState &s, ir::PhysicalBus &bus, u64 va, WalkAccess access) {
    if ((s.sysreg[reg::SCTLR_EL1] & kSctlrM) == 0) return translate_flat(s, va, access.kind);
    WalkResult result;
    while (!try_walk(s, bus, va, access, result)) {
    }
    return result;
}

void raise_data_abort(ArmState &s, u64 va, u8 status, bool is_write, bool is_cache_maintenance) {
    const u32 iss =
        status | static_cast<u32>(is_write) << 6 | static_cast<u32>(is_cache_maintenance) << 8;
    take_exception_with_address(s, from_current_el(s, ExceptionClass::DataAbortLower), iss, va,
                                s.pc);
}

void raise_instruction_abort(ArmState &s, u64 va, u8 status) {
    take_exception_with_address(s, from_current_el(s, ExceptionClass::InstructionAbortLower),
                                status, va, s.pc);
}

} // namespace tandem::arm
