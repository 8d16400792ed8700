#pragma once
/// The immediate of every IR memory operation.
#include "support/bits.h"

namespace tandem::ir {

/// Whose permissions an access has. Executors keep one softmmu TLB for each.
enum class Regime : u8 { User, Kernel, KernelNoUser /**< PSTATE.PAN = 1 */ };
inline constexpr unsigned kRegimeCount = 3;

/// When an unaligned address faults.
enum class Alignment : u8 {
    Any,      ///< never (but device memory always wants natural alignment)
    Natural,  ///< when not a multiple of the access size
    Within16, ///< when the access crosses a 16-byte boundary (FEAT_LSE2 atomics)
};

enum class AtomicKind : u8 { Add, Clear, Xor, Set, SMax, SMin, UMax, UMin, Swap };

struct MemoryOp {
    Regime regime = Regime::Kernel;
    Alignment alignment = Alignment::Any;
    bool acquire = false;
    bool release = false;
    u8 size_log2 = 0; ///< used by atomics and exclusives, whose opcode does not fix the size (0..4)
    AtomicKind atomic = AtomicKind::Add;
    /// One look into the TLB can serve several plain accesses (passes/share_checks.cpp). The first
    /// leads: its look covers as many bytes before its own and after them as these say.
    bool leads_check = false;
    bool ends_check = false; ///< the last access that a look serves
    u8 check_before = 0;     ///< bytes, < 128
    u8 check_after = 0;      ///< bytes, < 128

    [[nodiscard]] constexpr u64 pack() const {
        return static_cast<u64>(regime) | static_cast<u64>(alignment) << 2 |
               static_cast<u64>(acquire) << 4 | static_cast<u64>(release) << 5 |
               static_cast<u64>(leads_check) << 6 | static_cast<u64>(ends_check) << 7 |
               static_cast<u64>(size_log2) << 8 | static_cast<u64>(atomic) << 12 |
               static_cast<u64>(check_before) << 16 | static_cast<u64>(check_after) << 23;
    }
    [[nodiscard]] static constexpr MemoryOp unpack(u64 imm) {
        MemoryOp op;
        op.regime = static_cast<Regime>(imm & 3);
        op.alignment = static_cast<Alignment>((imm >> 2) & 3);
        op.acquire = bit(imm, 4);
        op.release = bit(imm, 5);
        op.leads_check = bit(imm, 6);
        op.ends_check = bit(imm, 7);
        op.size_log2 = static_cast<u8>((imm >> 8) & 7);
        op.atomic = static_cast<AtomicKind>((imm >> 12) & 15);
        op.check_before = static_cast<u8>((imm >> 16) & 127);
        op.check_after = static_cast<u8>((imm >> 23) & 127);
        return op;
    }
};

/// Fence kinds. On a TSO host only Full (store then load) costs an instruction.
enum class FenceKind : u8 {
    LoadLoadStore, ///< DMB ISHLD
    StoreStore,    ///< DMB ISHST
    Full,
    State, ///< ISB: what was written to state before it, helpers that do not access state see
};

} // namespace tandem::ir
