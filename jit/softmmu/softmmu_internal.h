#pragma once
/// Shared by the two halves of Softmmu: look-up (softmmu.cpp) and access (access.cpp).
#include "jit/softmmu/softmmu.h"

namespace tandem::jit {

/// A translated page, copied out of its TLB entry.
struct Softmmu::Page {
    std::byte *host = nullptr; ///< of the page's first byte; null for devices
    u64 physical = 0;
    u64 flags = 0;
    bool is_slow = false; ///< flags, or code on the page, want attention

    [[nodiscard]] std::byte *at(u64 va) const { return host + (va & 0xfff); }
    [[nodiscard]] u64 physical_at(u64 va) const { return physical | (va & 0xfff); }
};

inline bool Softmmu::translate_page(u64 va, ir::Regime regime, ir::AccessKind kind, Page &out) {
    const TlbEntry &entry = tables_[table_of(regime)]->entries[tlb_index(va)];
    const u64 tag = load_tag(kind == ir::AccessKind::Load ? entry.read_tag : entry.write_tag);
    const u64 page = va & kPageMask;
    if ((tag & ~kSlowTag) != page) return fill(va, regime, kind, out);
    out.flags = entry.physical_page & ~kPageMask;
    out.physical = entry.physical_page & kPageMask;
    out.host =
        (out.flags & kTlbMmio) != 0 ? nullptr : reinterpret_cast<std::byte *>(page + entry.addend);
    out.is_slow = tag != page;
    return true;
}

} // namespace tandem::jit
