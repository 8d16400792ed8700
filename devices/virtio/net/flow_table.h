#pragma once
/// Which queue pair a flow of packets belongs to: the one on which the driver sends it (automatic
/// receive steering, virtio 1.2 §5.1.6.5.5).
#include "support/bits.h"

#include <array>
#include <cstddef>
#include <span>

namespace tandem::devices {

class FlowTable {
public:
    static constexpr std::size_t kSize = 256;

    /// The driver has sent this frame by that pair.
    void learn(std::span<const std::byte> frame, u8 pair) { pairs_[slot_of(frame)] = pair; }
    /// By which pair the answers to what this frame answers were sent; 0 if none is known.
    [[nodiscard]] u8 pair_of(std::span<const std::byte> frame) const {
        return pairs_[slot_of(frame)];
    }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        for (auto &pair : self.pairs_) archive(pair);
    }

private:
    /// The same for both directions of a flow. What is no TCP or UDP goes by addresses alone, what
    /// is no IP by nothing.
    [[nodiscard]] static std::size_t slot_of(std::span<const std::byte> frame);

    std::array<u8, kSize> pairs_{};
};

} // namespace tandem::devices
