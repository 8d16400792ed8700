#pragma once
/// The state block of one virtual CPU as executors see it. Frontends derive from it and append
/// architectural state; the IR names state by byte offset from the context pointer.
#include "ir/memory_op.h"
#include "ir/types.h"

#include <atomic>
#include <cstddef>

namespace tandem::ir {

class MemoryAccess;

/// One softmmu TLB entry; see jit/softmmu. A tag is the guest virtual page address, or kInvalidTag,
/// or any value that no page address equals (slow path wanted: MMIO, code page, watchpoint, dirty
/// tracking).
struct alignas(32) TlbEntry {
    static constexpr u64 kInvalidTag = ~u64{0};
    u64 read_tag = kInvalidTag;
    u64 write_tag = kInvalidTag;
    u64 addend = 0; ///< host address = guest virtual address + addend
    u64 physical_page = 0;
};
/// A tag of a TLB or jump-cache entry: other CPUs may take the entry away at any time.
[[nodiscard]] inline u64 load_tag(const u64 &tag) {
    return __atomic_load_n(&tag, __ATOMIC_RELAXED);
}

inline constexpr unsigned kTlbBits = 13;
inline constexpr unsigned kTlbEntries = 1u << kTlbBits; ///< indexed by va<12+kTlbBits-1:12>

/// One entry of the indirect-branch cache.
struct alignas(32) JumpCacheEntry {
    u64 va = ~u64{0};
    u64 tag = 0;                ///< equals ExecContext::exec_tag while the entry is valid
    const void *code = nullptr; ///< entry point of the block's host code
    u64 block = 0;              ///< the jit::TranslationBlock, for the dispatcher
};
inline constexpr unsigned kJumpCacheBits = 15;
inline constexpr unsigned kJumpCacheEntries = 1u << kJumpCacheBits; ///< indexed by va<16:2>

/// Why translated code returned to the dispatcher although its budget was not used up.
enum class PendingExit : u32 {
    None,
    Resume, ///< the state changed (exception, ERET, system register): continue at `pc`
    Halt,   ///< WFI or WFE: sleep until an event
    Stop,   ///< power-off, reset or a debugger stop: whoever set it knows more
};

/// Standard layout; one host thread uses it, but for the members that say otherwise.
struct alignas(64) ExecContext {
    /// Translated code addresses the context from `this` + kContextBias, so that the first 256
    /// bytes (the hottest guest registers) are within a signed 8-bit displacement.
    static constexpr int kContextBias = 128;

    std::array<u64, 32> gpr{}; ///< hot registers; for A64: X0-X30 and the current SP (index 31)
    u64 pc = 0;                ///< address of the next instruction; inside a block, of the current
                               ///< instruction whenever an operation may raise an exception
    u64 pc_page = 0;           ///< page address of the running block; blocks are relative to it
    u32 flags = 0;             ///< N, Z, C, V (ir/types.h kFlag*)
    PendingExit pending_exit = PendingExit::None; ///< set by helpers; code leaves the block at once
    i64 budget = 0;  ///< instructions left in this slice; in a host register inside translated code
    u64 retired = 0; ///< instructions retired before this slice began
    i64 slice = 0;   ///< what `budget` was when this slice began; both 0 outside slices
    u64 exec_tag = 0;   ///< mode and address-space generation; validates jump cache entries
    u32 mode = 0;       ///< frontend's mode bits: part of the block key
    u32 mxcsr = 0x1f80; ///< host FP control for translated code; its low 6 bits collect flags
    u32 fpsr = 0;       ///< cumulative FP flags (kFp*), without those still in mxcsr
    std::atomic<u32> interrupt_lines = 0; ///< any thread: bit 0 IRQ, bit 1 FIQ, bit 2 SError/other
    std::atomic<u32> attention = 0;       ///< any thread: leave at the next safepoint (kick)
    std::array<TlbEntry *, kRegimeCount> tlb{}; ///< current table of each regime
    JumpCacheEntry *jump_cache = nullptr;
    MemoryAccess *memory = nullptr;
    alignas(16) std::array<Vec, 6> scratch{}; ///< argument and result area of helper calls

    /// Instructions retired up to and without the current one; for helpers that may exit, for
    /// accesses that miss the TLB, and between blocks.
    [[nodiscard]] u64 instructions_retired() const {
        return retired + static_cast<u64>(slice - budget);
    }
};

} // namespace tandem::ir
