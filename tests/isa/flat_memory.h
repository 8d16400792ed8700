#pragma once
/// The data and code areas of the instruction fuzzer as guest memory, without an MMU.
#include "ir/memory_access.h"
#include "tests/isa/protocol.h"

#include <cstring>
#include <vector>

namespace tandem::isa {

class FlatMemory final : public ir::MemoryAccess {
public:
    FlatMemory();

    enum class Fault : u8 { None, Unmapped, Misaligned };
    [[nodiscard]] Fault fault() const { return fault_; }
    void clear_fault() { fault_ = Fault::None; }

    /// Ranges written since the last call, merged, at most ISA_MAX_RANGES of at most ISA_RANGE_SIZE
    /// bytes each.
    std::vector<isa_range> take_written();
    void read(const isa_range &range, u8 *out) const;
    /// Puts the pattern back.
    void restore(const isa_range &range);
    [[nodiscard]] bool is_pristine() const;

    [[nodiscard]] std::byte *data() { return bytes_.data(); }
    /// The code area; readable by the guest.
    [[nodiscard]] std::byte *code() { return code_.data(); }

    u64 load(ir::ExecContext &, u64 va, unsigned size_log2, ir::MemoryOp) override;
    void store(ir::ExecContext &, u64 va, unsigned size_log2, u64 value, ir::MemoryOp) override;
    ir::Vec load128(ir::ExecContext &, u64 va, ir::MemoryOp) override;
    void store128(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override;
    u64 atomic(ir::ExecContext &, u64 va, u64 operand, ir::MemoryOp) override;
    u64 compare_swap(ir::ExecContext &, u64 va, u64 expected, u64 desired, ir::MemoryOp) override;
    ir::Vec compare_swap128(ir::ExecContext &, u64 va, ir::Vec expected, ir::Vec desired,
                            ir::MemoryOp) override;
    ir::Vec load_exclusive(ir::ExecContext &, u64 va, ir::MemoryOp) override;
    u32 store_exclusive(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override;
    void clear_exclusive(ir::ExecContext &) override { exclusive_size_ = 0; }

private:
    /// Null, with the fault noted and pending_exit set, if the access is not allowed.
    std::byte *access(ir::ExecContext &, u64 va, u64 size, ir::MemoryOp, bool is_store);

    std::vector<std::byte> bytes_;
    std::vector<std::byte> code_;
    std::vector<isa_range> written_;
    Fault fault_ = Fault::None;
    u64 exclusive_address_ = 0;
    u64 exclusive_size_ = 0;
};

} // namespace tandem::isa
