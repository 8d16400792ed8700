#include "devices/pcie/msix.h"

namespace tandem::devices {

namespace {
constexpr u64 kLowHalf = 0xffff'ffff;
constexpr u32 kEntrySize = 16;
} // namespace

// PCI Local Bus 3.0, 6.8.2: software accesses the table in aligned words or double words of 32
// bits. Narrower reads extract, narrower writes are ignored.

u64 Msix::read(u64 offset, unsigned size_log2) const {
    const u32 at = static_cast<u32>(offset & ~u64{3});
    if (size_log2 == 3) return read_word(at) | u64{read_word(at + 4)} << 32;
    return (u64{read_word(at)} >> ((offset & 3) * 8)) & ones(8u << size_log2);
}

void Msix::write(u64 offset, unsigned size_log2, u64 value) {
    if (size_log2 < 2) return;
    write_word(static_cast<u32>(offset), static_cast<u32>(value));
    if (size_log2 == 3) write_word(static_cast<u32>(offset + 4), static_cast<u32>(value >> 32));
}

u32 Msix::read_word(u32 offset) const {
    if (offset >= kPendingOffset) {
        const u32 word = (offset - kPendingOffset) / 4;
        if (word >= pending_.size() * 2) return 0;
        return static_cast<u32>(pending_[word / 2] >> (word % 2 * 32));
    }
    if (offset / kEntrySize >= entries_.size()) return 0;
    const MsixEntry &entry = entries_[offset / kEntrySize];
    switch (offset % kEntrySize) {
    case 0: return static_cast<u32>(entry.address);
    case 4: return static_cast<u32>(entry.address >> 32);
    case 8: return entry.data;
    default: return entry.control;
    }
}

void Msix::write_word(u32 offset, u32 value) {
    if (offset >= kPendingOffset || offset / kEntrySize >= entries_.size()) return;
    MsixEntry &entry = entries_[offset / kEntrySize];
    switch (offset % kEntrySize) {
    case 0: entry.address = (entry.address & ~kLowHalf) | (value & ~u32{3}); break;
    case 4: entry.address = (entry.address & kLowHalf) | u64{value} << 32; break;
    case 8: entry.data = value; break;
    default: entry.control = value & MsixEntry::kMasked; break;
    }
}

const MsixEntry *Msix::take() {
    for (u32 word = 0; word < pending_.size(); ++word) {
        for (u64 rest = pending_[word]; rest != 0; rest &= rest - 1) {
            const u32 vector = word * 64 + static_cast<u32>(std::countr_zero(rest));
            if ((entries_[vector].control & MsixEntry::kMasked) != 0) continue;
            pending_[word] &= ~(rest & -rest);
            return &entries_[vector];
        }
    }
    return nullptr;
}

void Msix::reset() {
    entries_.assign(entries_.size(), {});
    pending_ = {};
}

bool Msix::restore(const State &state) {
    if (state.entries.size() != entries_.size()) return false;
    entries_ = state.entries;
    for (MsixEntry &entry : entries_) entry.control &= MsixEntry::kMasked;
    pending_ = state.pending;
    for (u32 vector = vectors(); vector < kMaxVectors; ++vector)
        pending_[vector / 64] &= ~(u64{1} << (vector % 64));
    return true;
}

} // namespace tandem::devices
