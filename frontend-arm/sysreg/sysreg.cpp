#include "frontend-arm/sysreg/sysreg.h"

#include "frontend-arm/state/arm_state.h"

#include <memory>

namespace tandem::arm {

namespace {

constexpr SysReg kTable[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, el0, read, write, feature, reset)                    \
    {#name,                                                                                        \
     sysreg_encoding(op0, op1, crn, crm, op2),                                                     \
     reg::name,                                                                                    \
     El0Access::el0,                                                                               \
     SysRegAction::read,                                                                           \
     SysRegAction::write,                                                                          \
     Feature::feature,                                                                             \
     reset},
#include "frontend-arm/sysreg/sysregs.inc"
};

// Arm ARM D19.1.3: reserved encodings of the ID space read as zero.
constexpr bool is_reserved_id(unsigned encoding) {
    return bits(encoding, 15, 7) == bits(sysreg_encoding(3, 0, 0, 0, 0), 15, 7) &&
           bits(encoding, 6, 3) >= 1 && bits(encoding, 6, 3) <= 7;
}

/// Row number + 1 by encoding; only op0 = 2 and 3 have system registers.
struct Index {
    std::array<u16, 1u << 15> row{};
    std::array<SysReg, 64> reserved_ids{}; ///< by CRm<2:0>:op2

    Index() {
        for (unsigned i = 0; i < std::size(kTable); ++i) {
            row[kTable[i].encoding & 0x7fff] = static_cast<u16>(i + 1);
        }
        for (unsigned i = 0; i < reserved_ids.size(); ++i) {
            reserved_ids[i] = {"ID_reserved",
                               static_cast<u16>(sysreg_encoding(3, 0, 0, 0, 0) | i),
                               reg::ID_AFR0_EL1, // a register that is always zero
                               El0Access::Id,
                               SysRegAction::Slot,
                               SysRegAction::None,
                               Feature::Base,
                               0};
        }
    }
};

const Index &index() {
    static const auto kIndex = std::make_unique<const Index>();
    return *kIndex;
}

} // namespace

const SysReg *find_sysreg(u16 encoding) {
    if (!bit(encoding, 15)) return nullptr;
    const Index &table = index();
    const u16 row = table.row[encoding & 0x7fff];
    if (row != 0) return &kTable[row - 1];
    return is_reserved_id(encoding) ? &table.reserved_ids[encoding & 63] : nullptr;
}

const SysReg &sysreg_info(SysRegId id) {
    return kTable[id];
}

u64 sysreg_offset(SysRegId id) {
    if (id == reg::SP_EL0) return __builtin_offsetof(ArmState, banked_sp);
    return __builtin_offsetof(ArmState, sysreg) + id * sizeof(u64);
}

} // namespace tandem::arm
