#pragma once
/// The MSI-X table and pending bits of one function (PCI Local Bus 3.0, 6.8.2). Guarded by the
/// function's mutex.
#include "devices/core/state.h"
#include "support/bits.h"

#include <array>
#include <vector>

namespace tandem::devices {

struct MsixEntry {
    static constexpr u32 kMasked = 1;

    u64 address = 0;
    u32 data = 0;
    u32 control = kMasked;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.address, self.data, self.control);
    }
};

class Msix {
public:
    static constexpr u32 kMaxVectors = 128;
    /// In the function's base address register: the table, then the pending bits.
    static constexpr u32 kTableOffset = 0, kPendingOffset = 0x800, kBarSize = 0x1000;

    explicit Msix(u32 vectors) : entries_(vectors) {}

    [[nodiscard]] u32 vectors() const { return static_cast<u32>(entries_.size()); }
    [[nodiscard]] u64 read(u64 offset, unsigned size_log2) const;
    void write(u64 offset, unsigned size_log2, u64 value);

    void pend(u32 vector) { pending_[vector / 64] |= u64{1} << (vector % 64); }
    /// Takes a pending vector that is not masked; null if there is none.
    [[nodiscard]] const MsixEntry *take();
    void reset();

    struct State {
        std::vector<MsixEntry> entries;
        std::array<u64, kMaxVectors / 64> pending{};

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.entries, self.pending);
        }
    };
    [[nodiscard]] State saved() const { return {entries_, pending_}; }
    [[nodiscard]] bool restore(const State &);

private:
    [[nodiscard]] u32 read_word(u32 offset) const;
    void write_word(u32 offset, u32 value);

    std::vector<MsixEntry> entries_;
    std::array<u64, kMaxVectors / 64> pending_{};
};

} // namespace tandem::devices
