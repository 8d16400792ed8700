#pragma once
/// The randomness of a deterministic machine: RNDR, virtio-rng and the boot seeds draw from one
/// stream, in the order in which the guest gets to them.
#include "devices/backend/entropy.h"
#include "machine/replay/random.h"

#include <algorithm>
#include <cstring>

namespace tandem::machine::replay {

class SeededEntropy final : public devices::Entropy {
public:
    explicit SeededEntropy(u64 seed) : random_(seed) {}
    void fill(std::span<std::byte> bytes) override {
        while (!bytes.empty()) {
            const u64 word = random_.next();
            const std::size_t size = std::min(bytes.size(), sizeof word);
            std::memcpy(bytes.data(), &word, size);
            bytes = bytes.subspan(size);
        }
    }

    [[nodiscard]] const Random &stream() const { return random_; }
    void set_stream(const Random &stream) { random_ = stream; }

private:
    Random random_;
};

} // namespace tandem::machine::replay
