#pragma once
/// What a region's code does out of line: memory accesses that miss the TLB, operations by their
/// definition, exceptions, leaving when the budget is used up. Such a site is a call and nothing
/// else. A table says where the compiler has the operands and the guest state at that moment, and
/// C++ code takes them from there: on the hot path nothing is stored for the sake of the cold one.
#include "ir/block.h"
#include "ir/exec_context.h"

#include <atomic>
#include <vector>

namespace tandem::jit {

/// How the flags of a region are represented until somebody wants them: by the operation that made
/// them and its operands.
enum class FlagsForm : u8 {
    Packed, ///< in the layout of ir::kFlag*
    Subtraction32,
    Subtraction64,
    Addition32,
    Addition64,
    Logic32, ///< of a result
    Logic64,
    Compare32, ///< of floating-point numbers, as bit patterns
    Compare64,
};
[[nodiscard]] u32 evaluate_flags(FlagsForm form, u64 a, u64 b);

enum class SideExitKind : u8 {
    Thunk,  ///< an operation by its definition
    Memory, ///< by MemoryAccess; may leave the region
    Leave,  ///< to the dispatcher, which continues at place `imm`
    Raise,  ///< calls `helper`, which raises an exception
};

/// What is done at a site. Its values are, in order: unless it is a Thunk, the budget; arguments;
/// for each slot its value, for flags a FlagsForm and its two operands.
struct SideExit {
    struct Slot {
        u32 offset = 0; ///< of the state that has not been stored
        u32 size = 0;
        bool is_flags = false;
    };

    SideExitKind kind = SideExitKind::Thunk;
    ir::Opcode op = ir::Opcode::Nop;
    u32 arguments = 0;
    u32 retired = 0; ///< what leaving here takes from the budget
    u64 imm = 0;
    u64 insn = 0; ///< as ir::insn_imm
    i64 page = 0; ///< the place of that instruction's page
    ir::Helper::Function helper = nullptr;
    std::vector<Slot> slots{};
};

struct HostLocation {
    enum class Kind : u8 { Gpr, Xmm, Memory, Constant, WideConstant } kind = Kind::Constant;
    u8 reg = 0;    ///< its number; of Memory the base
    u16 bytes = 0; ///< how many of them are meant
    i32 value = 0; ///< the constant, its index, or the displacement
};

/// Registers at a site; the stub fills it (region_stubs.cpp).
struct SavedRegisters {
    std::array<u64, 16> gpr;
    /// Whole, as wide as the host's: LLVM holds values of 32 and 64 bytes as well.
    std::array<std::array<u64, 8>, 32> vector;
    std::array<u64, 8> mask; ///< of AVX-512; for the stub alone
};

/// Of one region. Constant once `code` is set.
struct SideTable {
    struct Site {
        u32 return_offset = 0; ///< from `code`
        u32 exit = 0;
        u32 first_location = 0;
    };
    /// vCPUs get to a region by jumps that are patched, which C++ knows nothing of: who has read
    /// this (acquire) sees the rest.
    std::atomic<const std::byte *> code = nullptr;
    std::vector<Site> sites{}; ///< by return_offset
    std::vector<SideExit> exits{};
    std::vector<HostLocation> locations{};
    std::vector<u64> constants{};
};

/// Does what the site that returns to `return_address` wants. True: the region must be left; all
/// state is in the context.
[[nodiscard]] bool take_side_exit(ir::ExecContext &ctx, const SavedRegisters &saved,
                                  const SideTable &table, const std::byte *return_address);

} // namespace tandem::jit
