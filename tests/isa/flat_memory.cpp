#include "tests/isa/flat_memory.h"

#include <algorithm>

namespace tandem::isa {
namespace {

constexpr u32 kBrk = 0xd4200000;

u64 old_to_new(ir::AtomicKind kind, u64 old, u64 operand, unsigned bits_wide) {
    const i64 a = sign_extend(old, bits_wide), b = sign_extend(operand, bits_wide);
    const u64 ua = old & ones(bits_wide), ub = operand & ones(bits_wide);
    switch (kind) {
    case ir::AtomicKind::Add: return old + operand;
    case ir::AtomicKind::Clear: return old & ~operand;
    case ir::AtomicKind::Xor: return old ^ operand;
    case ir::AtomicKind::Set: return old | operand;
    case ir::AtomicKind::SMax: return a > b ? old : operand;
    case ir::AtomicKind::SMin: return a < b ? old : operand;
    case ir::AtomicKind::UMax: return ua > ub ? old : operand;
    case ir::AtomicKind::UMin: return ua < ub ? old : operand;
    case ir::AtomicKind::Swap: return operand;
    }
    return old;
}

template <typename T>
T value_at(const std::byte *p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
}

} // namespace

FlatMemory::FlatMemory() : bytes_(ISA_DATA_SIZE), code_(ISA_CODE_SIZE) {
    for (u64 a = 0; a < ISA_CODE_SIZE; a += 4) std::memcpy(&code_[a], &kBrk, sizeof kBrk);
    for (u64 a = 0; a < ISA_DATA_SIZE; a += 8) {
        const u64 value = isa_pattern(ISA_DATA_BASE + a);
        std::memcpy(&bytes_[a], &value, sizeof value);
    }
}

bool FlatMemory::is_pristine() const {
    for (u64 a = 0; a < ISA_DATA_SIZE; a += 8)
        if (value_at<u64>(&bytes_[a]) != isa_pattern(ISA_DATA_BASE + a)) return false;
    return true;
}

std::vector<isa_range> FlatMemory::take_written() {
    std::ranges::sort(written_, {}, &isa_range::address);
    std::vector<isa_range> merged;
    for (const isa_range &range : written_) {
        if (!merged.empty()) {
            isa_range &last = merged.back();
            const u64 end = std::max(last.address + last.size, range.address + range.size);
            if (range.address <= last.address + last.size && end - last.address <= ISA_RANGE_SIZE) {
                last.size = static_cast<u32>(end - last.address);
                continue;
            }
        }
        merged.push_back(range);
    }
    written_.clear();
    return merged;
}

void FlatMemory::read(const isa_range &range, u8 *out) const {
    std::memcpy(out, &bytes_[range.address - ISA_DATA_BASE], range.size);
}

void FlatMemory::restore(const isa_range &range) {
    for (u64 a = range.address & ~u64{7}; a < range.address + range.size; a += 8) {
        const u64 value = isa_pattern(a);
        std::memcpy(&bytes_[a - ISA_DATA_BASE], &value, sizeof value);
    }
}

std::byte *FlatMemory::access(ir::ExecContext &ctx, u64 va, u64 size, ir::MemoryOp op,
                              bool is_store) {
    va = static_cast<u64>(sign_extend(va, 56)); // the top byte is ignored at EL0, as in Linux
    const bool aligned = op.alignment == ir::Alignment::Any || (va & (size - 1)) == 0 ||
                         (op.alignment == ir::Alignment::Within16 && (va & 15) + size <= 16);
    const bool is_code =
        !is_store && va >= ISA_CODE_BASE && va - ISA_CODE_BASE <= ISA_CODE_SIZE - size;
    if (aligned && is_code) return &code_[va - ISA_CODE_BASE];
    const bool mapped = va >= ISA_DATA_BASE && va - ISA_DATA_BASE <= ISA_DATA_SIZE - size;
    if (!aligned || !mapped) {
        fault_ = aligned ? Fault::Unmapped : Fault::Misaligned;
        ctx.pending_exit = ir::PendingExit::Resume;
        return nullptr;
    }
    if (is_store) {
        for (u64 offset = 0; offset < size; offset += ISA_RANGE_SIZE)
            written_.push_back(
                {va + offset, static_cast<u32>(std::min<u64>(size, ISA_RANGE_SIZE)), 0});
    }
    return &bytes_[va - ISA_DATA_BASE];
}

u64 FlatMemory::load(ir::ExecContext &ctx, u64 va, unsigned size_log2, ir::MemoryOp op) {
    const std::byte *p = access(ctx, va, u64{1} << size_log2, op, false);
    u64 value = 0;
    if (p != nullptr) std::memcpy(&value, p, std::size_t{1} << size_log2);
    return value;
}
void FlatMemory::store(ir::ExecContext &ctx, u64 va, unsigned size_log2, u64 value,
                       ir::MemoryOp op) {
    if (std::byte *p = access(ctx, va, u64{1} << size_log2, op, true); p != nullptr)
        std::memcpy(p, &value, std::size_t{1} << size_log2);
}
ir::Vec FlatMemory::load128(ir::ExecContext &ctx, u64 va, ir::MemoryOp op) {
    const std::byte *p = access(ctx, va, 16, op, false);
    return p != nullptr ? value_at<ir::Vec>(p) : ir::Vec{};
}
void FlatMemory::store128(ir::ExecContext &ctx, u64 va, ir::Vec value, ir::MemoryOp op) {
    if (std::byte *p = access(ctx, va, 16, op, true); p != nullptr)
        std::memcpy(p, &value, sizeof value);
}
u64 FlatMemory::atomic(ir::ExecContext &ctx, u64 va, u64 operand, ir::MemoryOp op) {
    const unsigned size = 1u << op.size_log2;
    std::byte *p = access(ctx, va, size, op, true);
    if (p == nullptr) return 0;
    u64 old = 0;
    std::memcpy(&old, p, size);
    const u64 desired = old_to_new(op.atomic, old, operand, size * 8);
    std::memcpy(p, &desired, size);
    return old;
}
u64 FlatMemory::compare_swap(ir::ExecContext &ctx, u64 va, u64 expected, u64 desired,
                             ir::MemoryOp op) {
    const unsigned size = 1u << op.size_log2;
    std::byte *p = access(ctx, va, size, op, true);
    if (p == nullptr) return 0;
    u64 old = 0;
    std::memcpy(&old, p, size);
    if (old == (expected & ones(size * 8))) std::memcpy(p, &desired, size);
    return old;
}
ir::Vec FlatMemory::compare_swap128(ir::ExecContext &ctx, u64 va, ir::Vec expected, ir::Vec desired,
                                    ir::MemoryOp op) {
    std::byte *p = access(ctx, va, 16, op, true);
    if (p == nullptr) return {};
    const auto old = value_at<ir::Vec>(p);
    if (old == expected) std::memcpy(p, &desired, sizeof desired);
    return old;
}
ir::Vec FlatMemory::load_exclusive(ir::ExecContext &ctx, u64 va, ir::MemoryOp op) {
    const u64 size = u64{1} << op.size_log2;
    const std::byte *p = access(ctx, va, size, op, false);
    if (p == nullptr) return {};
    exclusive_address_ = va;
    exclusive_size_ = size;
    ir::Vec value{};
    std::memcpy(&value, p, size);
    return value;
}
u32 FlatMemory::store_exclusive(ir::ExecContext &ctx, u64 va, ir::Vec value, ir::MemoryOp op) {
    const u64 size = u64{1} << op.size_log2;
    const bool held = exclusive_size_ == size && exclusive_address_ == va;
    exclusive_size_ = 0;
    if (!held) return 1;
    std::byte *p = access(ctx, va, size, op, true);
    if (p == nullptr) return 0;
    std::memcpy(p, &value, size);
    return 0;
}

} // namespace tandem::isa
