#include "frontend-arm/debug/debug.h"

#include "frontend-arm/state/pstate.h"

#include <algorithm>

namespace tandem::arm {

namespace {

// MDSCR_EL1.
constexpr u64 kMdscrSs = 1u << 0, kMdscrKde = 1u << 13, kMdscrMde = 1u << 15;

bool os_locked(const ArmState &s) {
    const bool os_lock = bit(s.sysreg[reg::OSLSR_EL1], 1);
    const bool double_lock =
        bit(s.sysreg[reg::OSDLR_EL1], 0) && !bit(s.sysreg[reg::DBGPRCR_EL1], 0);
    return os_lock || double_lock;
}

u64 breakpoint_control(const ArmState &s, unsigned n) {
    return s.sysreg[reg::DBGBCR0_EL1 + n];
}
u64 breakpoint_value(const ArmState &s, unsigned n) {
    return s.sysreg[reg::DBGBVR0_EL1 + n];
}

/// DBGBCR and DBGWCR.{PMC or PAC, SSC}: Arm ARM, AArch64.StateMatch without EL2 and EL3.
bool state_matches(u64 control, u32 el) {
    const u64 privilege = bits(control, 2, 1);
    const bool secure_only = bits(control, 15, 14) == 0b10;
    return !secure_only && bit(privilege, el == 0 ? 1 : 0);
}

bool context_matches(const ArmState &s, unsigned n) {
    return n >= kFirstContextBreakpoint && n < kBreakpoints &&
           static_cast<u32>(breakpoint_value(s, n)) ==
               static_cast<u32>(s.sysreg[reg::CONTEXTIDR_EL1]);
}

/// The context breakpoint that a linked one names (LBN) agrees.
bool link_matches(const ArmState &s, u64 linked) {
    if (linked >= kBreakpoints) return false;
    const u64 control = breakpoint_control(s, static_cast<unsigned>(linked));
    return bit(control, 0) && bits(control, 23, 20) == 0b0011 &&
           context_matches(s, static_cast<unsigned>(linked));
}

/// The bytes a watchpoint covers are those of [base, base + size), for DBGWCR.MASK; with BAS a
/// doubleword of which `select` picks bytes.
struct WatchedRange {
    u64 base;
    u64 size;
    u8 select;
};

WatchedRange watched_range(const ArmState &s, unsigned n) {
    const u64 control = s.sysreg[reg::DBGWCR0_EL1 + n];
    const u64 value = s.sysreg[reg::DBGWVR0_EL1 + n] & ones(49) & ~u64{3};
    const u64 mask = bits(control, 28, 24);
    if (mask >= 3) return {value & ~ones(static_cast<unsigned>(mask)), u64{1} << mask, 0xff};
    u8 select = static_cast<u8>(bits(control, 12, 5));
    // DBGWVR<2> = 1: a word; BAS<3:0> selects its bytes.
    if (bit(value, 2)) select = static_cast<u8>(select << 4);
    return {value & ~u64{7}, 8, select};
}

} // namespace

void update_debug_controls(ArmState &s) {
    const u64 mdscr = s.sysreg[reg::MDSCR_EL1];
    const bool unlocked = !os_locked(s);
    s.debug_enabled = unlocked && (mdscr & (kMdscrSs | kMdscrMde)) != 0;
    bool any_watchpoint = false;
    for (unsigned n = 0; n < kWatchpoints; ++n)
        any_watchpoint |= bit(s.sysreg[reg::DBGWCR0_EL1 + n], 0);
    s.watchpoints_enabled = unlocked && (mdscr & kMdscrMde) != 0 && any_watchpoint;
}

bool debug_exceptions_enabled(const ArmState &s, u32 el, u32 daif) {
    if (os_locked(s)) return false;
    if (el == 0) return true;
    return (s.sysreg[reg::MDSCR_EL1] & kMdscrKde) != 0 && (daif & kDaifD) == 0;
}

u32 debug_mode_bits(const ArmState &s) {
    if (!debug_exceptions_enabled(s, s.el, s.daif)) return 0;
    const u64 mdscr = s.sysreg[reg::MDSCR_EL1];
    u32 mode = 0;
    if ((mdscr & kMdscrSs) != 0) {
        mode |= Mode::kSingleStep;
        if (s.software_step != 0) mode |= Mode::kSsBit;
    }
    if ((mdscr & kMdscrMde) != 0) {
        for (unsigned n = 0; n < kBreakpoints; ++n) {
            if (bit(breakpoint_control(s, n), 0)) mode |= Mode::kBreakpoints;
        }
    }
    return mode;
}

bool breakpoint_matches(const ArmState &s, u64 va) {
    if ((s.sysreg[reg::MDSCR_EL1] & kMdscrMde) == 0 || !debug_exceptions_enabled(s, s.el, s.daif)) {
        return false;
    }
    for (unsigned n = 0; n < kBreakpoints; ++n) {
        const u64 control = breakpoint_control(s, n);
        if (!bit(control, 0) || !state_matches(control, s.el)) continue;
        const bool same_address = bits(breakpoint_value(s, n), 48, 2) == bits(va, 48, 2);
        switch (bits(control, 23, 20)) {
        case 0b0000: // unlinked address
            if (same_address) return true;
            break;
        case 0b0001: // linked address
            if (same_address && link_matches(s, bits(control, 19, 16))) return true;
            break;
        case 0b0010: // unlinked context
            if (context_matches(s, n)) return true;
            break;
        default: // part of another breakpoint, or reserved
            break;
        }
    }
    return false;
}

bool page_is_watched(const ArmState &s, u64 va_page) {
    if (!s.watchpoints_enabled) return false;
    const u64 page = va_page & ones(49) & ~u64{0xfff};
    for (unsigned n = 0; n < kWatchpoints; ++n) {
        if (!bit(s.sysreg[reg::DBGWCR0_EL1 + n], 0)) continue;
        const WatchedRange range = watched_range(s, n);
        if (range.base < page + 4096 && page < range.base + range.size) return true;
    }
    return false;
}

bool watchpoint_matches(const ArmState &s, u64 va, u32 bytes, ir::Regime regime, bool is_store,
                        u64 &address) {
    if (!s.watchpoints_enabled || !debug_exceptions_enabled(s, s.el, s.daif)) return false;
    const u64 first = va & ones(49);
    for (unsigned n = 0; n < kWatchpoints; ++n) {
        const u64 control = s.sysreg[reg::DBGWCR0_EL1 + n];
        if (!bit(control, 0) || !bit(control, is_store ? 4 : 3)) continue; // E, LSC
        // Unprivileged accesses from EL1 (LDTR) match as EL0's.
        if (!state_matches(control, regime == ir::Regime::User ? 0 : 1)) continue;
        if (bit(control, 20) && !link_matches(s, bits(control, 19, 16))) continue; // WT
        const WatchedRange range = watched_range(s, n);
        const u64 from = std::max(first, range.base);
        const u64 to = std::min(first + bytes, range.base + range.size);
        for (u64 at = from; at < to; ++at) {
            if (!bit(range.select, at & 7)) continue;
            address = va + (at - first);
            return true;
        }
    }
    return false;
}

} // namespace tandem::arm
