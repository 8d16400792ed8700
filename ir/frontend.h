#pragma once
/// What a guest architecture gives to the executors, and what it takes from them.
#include "ir/block.h"
#include "ir/exec_context.h"
#include "ir/memory_op.h"

#include <span>
#include <string>

namespace tandem::ir {

/// Translates guest code into IR. Thread-safe: translation uses nothing of a running CPU but the
/// mode bits.
class Frontend {
public:
    virtual ~Frontend() = default;

    /// Translates the block at page_offset of a 4 KiB page of guest code. Stops at a branch that is
    /// always taken, at the end of the page, or after max_instructions (1..kMaxBlockInstructions).
    /// Bits 31:30 of `mode` belong to the caller and mean nothing here.
    virtual void translate(std::span<const std::byte, 4096> page, u32 page_offset, u32 mode,
                           u32 max_instructions, Block &out) const = 0;

    /// Mode bits of which one is set exactly when the CPU runs in the Kernel regimes. Only for
    /// those may code found under one address space be run under another (where it is global).
    [[nodiscard]] virtual u32 privileged_mode_mask() const { return 0; }

    /// What else decides how code is translated, such as the features of the guest's CPU:
    /// frontends with equal ones translate alike.
    [[nodiscard]] virtual u64 configuration() const { return 0; }

    /// Functions that CallN refers to, by index.
    [[nodiscard]] virtual std::span<const Helper> helpers() const = 0;

    /// The name of a state slot ("x0", "v3", "nzcv"), for printing; empty if there is none.
    [[nodiscard]] virtual std::string state_name(i64 offset) const = 0;
};

enum class AccessKind : u8 { Load, Store, Execute };

struct PageMapping {
    u64 physical = 0;  ///< physical address of the 4 KiB page
    u8 size_log2 = 12; ///< of the translation table entry that maps it
    bool readable = false;
    bool writable = false; ///< and already marked dirty, so that later stores need no walk
    bool executable = false;
    bool device = false; ///< Device memory: unaligned accesses fault
    bool global = false; ///< the same in every address space
    u32 mode_bits =
        0; ///< frontend mode bits that code on this page adds to its block key (BTI's GP)
};

/// The guest's MMU, implemented by the frontend, called by jit/softmmu on a TLB miss.
class AddressTranslator {
public:
    virtual ~AddressTranslator() = default;
    /// Walks the tables. False: the access faults; the exception has been raised in the context
    /// (ExecContext::pc being the current instruction) and pending_exit is set.
    [[nodiscard]] virtual bool translate(ExecContext &, u64 va, Regime, AccessKind,
                                         PageMapping &) = 0;
    virtual void raise_alignment_fault(ExecContext &, u64 va, bool is_store) = 0;
    /// Where execution goes on after a branch to `target`, whose top byte may be a pointer tag that
    /// the CPU drops. Called only if that byte is not the sign extension of bit 55.
    [[nodiscard]] virtual u64 branch_address(const ExecContext &, u64 target) const {
        return target;
    }
    /// The physical address is not there, or its device refused.
    virtual void raise_external_abort(ExecContext &, u64 va, AccessKind) = 0;

    /// Whether an access to this page may hit a guest watchpoint: then every access to it must take
    /// the slow path and call check_watchpoint() first.
    [[nodiscard]] virtual bool may_watch(const ExecContext &, u64 /*va_page*/) const {
        return false;
    }
    /// False: a watchpoint matched; the exception has been raised and pending_exit is set.
    [[nodiscard]] virtual bool check_watchpoint(ExecContext &, u64 /*va*/, u32 /*bytes*/, Regime,
                                                bool /*is_store*/) {
        return true;
    }
};

/// The physical address space, implemented by machine/memory. Any thread.
class PhysicalBus {
public:
    virtual ~PhysicalBus() = default;
    /// Host address of a RAM or ROM page (4 KiB, named by its address); null for devices and holes.
    /// `writable` is false for ROM.
    [[nodiscard]] virtual std::byte *page(u64 physical_page, bool &writable) = 0;
    /// Device access of 1 << size_log2 bytes (0..3); false: external abort.
    [[nodiscard]] virtual bool read(u64 physical, unsigned size_log2, u64 &value) = 0;
    [[nodiscard]] virtual bool write(u64 physical, unsigned size_log2, u64 value) = 0;

    /// Whether the next store to a RAM page has to be told by will_store(): then no store to it may
    /// take the fast path before that.
    [[nodiscard]] virtual bool tracks_stores_to(u64 /*physical_page*/) const { return false; }
    /// A CPU is about to store to a RAM page.
    virtual void will_store(u64 /*physical_page*/) {}
    /// Bytes of RAM were written by something that is no store, such as a table walk.
    virtual void has_written(u64 /*physical*/, u64 /*length*/) {}
};

} // namespace tandem::ir
