#include "machine/cpu/psci.h"

#include "frontend-arm/state/arm_state.h"

namespace tandem::machine {
namespace {

// DEN 0022, section 5.1: function identifiers. Bit 30 set: the 64-bit calling convention.
enum Function : u32 {
    kVersion = 0x8400'0000,
    kCpuSuspend32 = 0x8400'0001,
    kCpuSuspend64 = 0xc400'0001,
    kCpuOff = 0x8400'0002,
    kCpuOn32 = 0x8400'0003,
    kCpuOn64 = 0xc400'0003,
    kAffinityInfo32 = 0x8400'0004,
    kAffinityInfo64 = 0xc400'0004,
    kMigrateInfoType = 0x8400'0006,
    kSystemOff = 0x8400'0008,
    kSystemReset = 0x8400'0009,
    kFeatures = 0x8400'000a,
    kSystemReset2_32 = 0x8400'0012,
    kSystemReset2_64 = 0xc400'0012,
    // DEN 0028, section 7.
    kSmcccVersion = 0x8000'0000,
    kSmcccArchFeatures = 0x8000'0001,
};

// DEN 0022, section 5.2.2: return codes.
constexpr i64 kSuccess = 0, kNotSupported = -1, kInvalidParameters = -2, kAlreadyOn = -4,
              kOnPending = -5, kInvalidAddress = -9;

constexpr i64 kPsciVersion = 0x1'0001; // 1.1
constexpr i64 kSmcccVersion1_1 = 0x1'0001;
constexpr i64 kNoTrustedOsMigration = 2; // MIGRATE_INFO_TYPE: not present, or needs no migration
constexpr u64 kAffinityMask = 0xff'00ff'ffff;

} // namespace

bool Psci::call(arm::ArmState &cpu, arm::Conduit conduit) {
    if (conduit != arm::Conduit::Hvc) return false;
    const u32 function = static_cast<u32>(cpu.gpr[0]);
    const bool is_64_bit = bit(function, 30);
    // SMC32/HVC32 arguments are the W registers.
    const auto argument = [&](unsigned n) {
        return is_64_bit ? cpu.gpr[n] : cpu.gpr[n] & 0xffff'ffff;
    };
    i64 result = kNotSupported;
    switch (function) {
    case kVersion: result = kPsciVersion; break;
    case kCpuSuspend32:
    case kCpuSuspend64:
        // A power-down request may be answered by a standby (DEN 0022, 5.4.3), which keeps all
        // state and returns success once an interrupt is pending.
        cpu.waits_for_event = false;
        cpu.pending_exit = ir::PendingExit::Halt;
        result = kSuccess;
        break;
    case kCpuOff:
        power_.power_off(cpu.index);
        cpu.pending_exit = ir::PendingExit::Stop;
        return true;
    case kCpuOn32:
    case kCpuOn64: result = cpu_on(argument(1), argument(2), argument(3)); break;
    case kAffinityInfo32:
    case kAffinityInfo64: result = affinity_info(argument(1), argument(2)); break;
    case kMigrateInfoType: result = kNoTrustedOsMigration; break;
    case kSystemOff:
        power_.system_off();
        cpu.pending_exit = ir::PendingExit::Stop;
        return true;
    case kSystemReset2_32:
    case kSystemReset2_64:
        // Type 0 is the architectural warm reset, types from bit 31 up are vendor's.
        if (argument(1) != 0) {
            result = bit(argument(1), 31) ? kNotSupported : kInvalidParameters;
            break;
        }
        [[fallthrough]];
    case kSystemReset:
        power_.system_reset();
        cpu.pending_exit = ir::PendingExit::Stop;
        return true;
    case kFeatures: result = features(static_cast<u32>(argument(1))); break;
    case kSmcccVersion: result = kSmcccVersion1_1; break;
    case kSmcccArchFeatures: {
        const u32 queried = static_cast<u32>(argument(1));
        result =
            queried == kSmcccVersion || queried == kSmcccArchFeatures ? kSuccess : kNotSupported;
        break;
    }
    default: break;
    }
    cpu.gpr[0] = static_cast<u64>(result);
    return true;
}

i64 Psci::cpu_on(u64 target, u64 entry, u64 context) {
    if ((target & ~kAffinityMask) != 0) return kInvalidParameters;
    const auto index = power_.find_cpu(target);
    if (!index.has_value()) return kInvalidParameters;
    if (entry >= ram_end_ || (entry & 3) != 0) return kInvalidAddress;
    if (power_.power_on(*index, entry, context)) return kSuccess;
    return power_.power_of(*index) == PowerControl::CpuPower::OnPending ? kOnPending : kAlreadyOn;
}

i64 Psci::affinity_info(u64 target, u64 level) const {
    // DEN 0022, 5.7.3: from version 1.0 on, levels above 0 need not be supported.
    if (level > 3 || (target & ~kAffinityMask) != 0) return kInvalidParameters;
    if (level != 0) return kNotSupported;
    const auto index = power_.find_cpu(target);
    if (!index.has_value()) return kInvalidParameters;
    switch (power_.power_of(*index)) {
    case PowerControl::CpuPower::On: return 0;
    case PowerControl::CpuPower::Off: return 1;
    case PowerControl::CpuPower::OnPending: return 2;
    }
    return kInvalidParameters;
}

i64 Psci::features(u32 function) {
    switch (function) {
    case kVersion:
    case kCpuSuspend32:
    case kCpuSuspend64:
    case kCpuOff:
    case kCpuOn32:
    case kCpuOn64:
    case kAffinityInfo32:
    case kAffinityInfo64:
    case kMigrateInfoType:
    case kSystemOff:
    case kSystemReset:
    case kSystemReset2_32:
    case kSystemReset2_64:
    case kFeatures:
    case kSmcccVersion: return kSuccess;
    default: return kNotSupported;
    }
}

} // namespace tandem::machine
