#include "frontend-arm/pauth/pauth.h"

#include "frontend-arm/a64/helpers.h"
#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/state/cpu_model.h"

namespace tandem::arm {

namespace {

struct KeyRegister {
    SysRegId low;
    SysRegId high;
    u8 enable_bit; ///< of SCTLR_EL1
};
constexpr KeyRegister kKeys[] = {
    {reg::APIAKeyLo_EL1, reg::APIAKeyHi_EL1, 31}, // EnIA
    {reg::APIBKeyLo_EL1, reg::APIBKeyHi_EL1, 30}, // EnIB
    {reg::APDAKeyLo_EL1, reg::APDAKeyHi_EL1, 27}, // EnDA
    {reg::APDBKeyLo_EL1, reg::APDBKeyHi_EL1, 13}, // EnDB
};

const KeyRegister &key_register(PacKey key) {
    return kKeys[static_cast<unsigned>(key)];
}
bool is_instruction_key(PacKey key) {
    return key <= PacKey::InstructionB;
}

bool key_enabled(const ArmState &s, PacKey key) {
    return bit(s.pac.enabled_keys, static_cast<unsigned>(key));
}

u64 compute_pac(const ArmState &s, u64 pointer, u64 modifier, SysRegId high, SysRegId low) {
    if (s.model->pac_algorithm() == PacAlgorithm::Qarma5) {
        return qarma5(pointer, modifier, s.sysreg[high], s.sysreg[low]);
    }
    return fast_pac(pointer, modifier, s.sysreg[high], s.sysreg[low]);
}

/// Mask of the bits that hold the code: from the bottom PAC bit to 54, and 63:56 unless tagged.
u64 pac_mask(u64 tcr, bool upper, bool tagged) {
    const u64 below_55 = ones(55) & ~ones(input_address_bits(tcr, upper));
    return below_55 | (tagged ? 0 : u64{0xff} << 56);
}

/// The pointer with its code replaced by the extension of bit `upper`.
u64 canonical(u64 pointer, u64 mask, bool upper) {
    const u64 field = mask | u64{1} << 55;
    return upper ? pointer | field : pointer & ~field;
}

} // namespace

void update_pac_controls(ArmState &s) {
    const u64 tcr = s.sysreg[reg::TCR_EL1];
    for (const bool is_data : {false, true}) {
        // With tags in use in either half, bit 55 tells the half of a pointer; else bit 63.
        const bool lower_tagged = top_byte_ignored(tcr, false, !is_data);
        const bool upper_tagged = top_byte_ignored(tcr, true, !is_data);
        s.pac.half_bit[is_data] = lower_tagged || upper_tagged ? 55 : 63;
        s.pac.mask[is_data] = {pac_mask(tcr, false, lower_tagged),
                               pac_mask(tcr, true, upper_tagged)};
    }
    s.pac.enabled_keys = 0;
    for (unsigned key = 0; key < std::size(kKeys); ++key) {
        const bool enabled = bit(s.sysreg[reg::SCTLR_EL1], kKeys[key].enable_bit);
        s.pac.enabled_keys = static_cast<u8>(s.pac.enabled_keys | enabled << key);
    }
}

u64 add_pac(const ArmState &s, PacKey key, u64 pointer, u64 modifier) {
    if (!key_enabled(s, key)) return pointer;
    const bool is_data = !is_instruction_key(key);
    const bool upper = bit(pointer, s.pac.half_bit[is_data]);
    const u64 mask = s.pac.mask[is_data][upper];
    const KeyRegister &key_reg = key_register(key);
    u64 pac = compute_pac(s, canonical(pointer, mask, upper), modifier, key_reg.high, key_reg.low);

    const bool has_pauth2 = s.model->has(Feature::PAuth2);
    if (!has_pauth2) {
        const u64 extension_field = mask | u64{1} << 55;
        const u64 extension = pointer & extension_field;
        if (extension != 0 && extension != extension_field) {
            // Not canonical before: make the code one that will not authenticate.
            const unsigned top_bit = bit(mask, 63) ? 63 : 55;
            pac = s.model->has(Feature::EPAC) ? 0 : pac ^ u64 { 1 } << (top_bit - 1);
        }
    }
    const u64 result = has_pauth2 ? pointer ^ (pac & mask) : (pointer & ~mask) | (pac & mask);
    return with_bits(result, 55, 55, upper);
}

u64 try_authenticate(const ArmState &s, PacKey key, u64 pointer, u64 modifier) {
    if (!key_enabled(s, key)) return pointer;
    const bool upper = is_upper_half(pointer);
    const u64 mask = s.pac.mask[!is_instruction_key(key)][upper];
    const u64 original = canonical(pointer, mask, upper);
    const KeyRegister &key_reg = key_register(key);
    const u64 pac = compute_pac(s, original, modifier, key_reg.high, key_reg.low);

    if (s.model->has(Feature::PAuth2)) {
        const u64 result = pointer ^ (pac & mask);
        if (result != original && s.model->has(Feature::FPAC)) return pointer ^ 1;
        return result;
    }
    if ((pac & mask) == (pointer & mask)) return original;
    const u64 error_code = key == PacKey::InstructionA || key == PacKey::DataA ? 0b01 : 0b10;
    return bit(mask, 63) ? with_bits(original, 62, 61, error_code)
                         : with_bits(original, 54, 53, error_code);
}

u64 authenticate(ArmState &s, PacKey key, u64 pointer, u64 modifier) {
    const u64 result = try_authenticate(s, key, pointer, modifier);
    if (bit(result ^ pointer, 0)) {
        take_exception(s, ExceptionClass::PauthFailure, static_cast<u32>(key), s.pc);
    }
    return result;
}

u64 strip_pac(const ArmState &s, u64 pointer, bool is_instruction) {
    const bool upper = is_upper_half(pointer);
    return canonical(pointer, s.pac.mask[!is_instruction][upper], upper);
}

u64 generic_pac(const ArmState &s, u64 value, u64 modifier) {
    return compute_pac(s, value, modifier, reg::APGAKeyHi_EL1, reg::APGAKeyLo_EL1) &
           ~u64{0xffffffff};
}

namespace a64 {

namespace {
ArmState &state_of(ir::ExecContext &context) {
    return static_cast<ArmState &>(context);
}
} // namespace

u64 pac_ia(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return add_pac(state_of(context), PacKey::InstructionA, a, b);
}
u64 pac_ib(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return add_pac(state_of(context), PacKey::InstructionB, a, b);
}
u64 pac_da(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return add_pac(state_of(context), PacKey::DataA, a, b);
}
u64 pac_db(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return add_pac(state_of(context), PacKey::DataB, a, b);
}
u64 pac_ga(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return generic_pac(state_of(context), a, b);
}
u64 auth_ia(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return try_authenticate(state_of(context), PacKey::InstructionA, a, b);
}
u64 auth_ib(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return try_authenticate(state_of(context), PacKey::InstructionB, a, b);
}
u64 auth_da(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return try_authenticate(state_of(context), PacKey::DataA, a, b);
}
u64 auth_db(ir::ExecContext &context, u64 a, u64 b, u64, u64, u64) {
    return try_authenticate(state_of(context), PacKey::DataB, a, b);
}
u64 strip_pac_instruction(ir::ExecContext &context, u64 a, u64, u64, u64, u64) {
    return strip_pac(state_of(context), a, true);
}
u64 strip_pac_data(ir::ExecContext &context, u64 a, u64, u64, u64, u64) {
    return strip_pac(state_of(context), a, false);
}

} // namespace a64
} // namespace tandem::arm
