#pragma once
/// Maintenance of the softmmu TLBs: what a frontend asks of jit/softmmu when its guest changes
/// address spaces or invalidates translations.
#include "ir/exec_context.h"

namespace tandem::ir {

/// What to invalidate. Addresses are matched on bits 55:12 alone (the top byte may hold a pointer
/// tag), and an entry that was filled from a larger block or contiguous range
/// (PageMapping::size_log2) matches if any part of that range does.
struct TlbInvalidation {
    enum class Scope : u8 {
        All,        ///< everything
        Asid,       ///< non-global entries of `asid`
        Range,      ///< `pages` pages from `va`: entries of `asid`, and global ones
        RangeGlobal ///< `pages` pages from `va`, of every ASID
    };
    Scope scope = Scope::All;
    bool broadcast = false;       ///< also on all other CPUs (inner or outer shareable)
    bool last_level_only = false; ///< a hint: cached table descriptors may stay
    u16 asid = 0;
    u64 va = 0;    ///< 4 KiB page address
    u64 pages = 1; ///< of 4 KiB
};

/// Called on the host thread of the CPU whose context is passed. Owner of bits 63:32 of
/// ExecContext::exec_tag (the address-space generation); bits 31:0 hold ExecContext::mode and
/// belong to the frontend.
class TlbControl {
public:
    virtual ~TlbControl() = default;

    /// From now on this CPU translates in address space `asid`. Entries filled from non-global
    /// mappings under another ASID must not hit; global ones may. Coming back to an ASID, its
    /// entries may hit again: the guest invalidates them when they are stale. Sets ExecContext::tlb
    /// and the generation in exec_tag. Cheap: it happens at every guest context switch.
    virtual void set_address_space(ExecContext &, u16 asid) = 0;

    /// The rules of translation changed for this CPU (MMU on or off, TCR, MAIR, permission
    /// controls): nothing cached may be used any more.
    virtual void translation_changed(ExecContext &) = 0;

    /// On the calling CPU the entries are gone on return. On others (`broadcast`) they go at the
    /// latest when complete() returns.
    virtual void invalidate(ExecContext &, const TlbInvalidation &) = 0;

    /// DSB: waits until every broadcast invalidation that this CPU asked for has reached the other
    /// CPUs (a CPU that is outside translated code counts as reached).
    virtual void complete(ExecContext &) = 0;

    /// Watchpoints changed: pages that may_watch() claims must take the slow path from now on.
    virtual void watchpoints_changed(ExecContext &) = 0;
};

} // namespace tandem::ir
