#pragma once
/// The last part of a log that has no end: its chunks, in stretches that go as wholes, the first
/// one first.
#include "machine/replay/journal/chunk_sink.h"

#include <deque>
#include <vector>

namespace tandem::machine::flight {

class RingLog final : public replay::ChunkSink {
public:
    Result<> append(std::span<const std::byte> chunk) override {
        stretches_.back().emplace_back(chunk.begin(), chunk.end());
        bytes_ += chunk.size();
        return {};
    }
    void begin_stretch() { stretches_.emplace_back(); }
    void drop_stretch() {
        for (const auto &chunk : stretches_.front()) bytes_ -= chunk.size();
        stretches_.pop_front();
    }

    [[nodiscard]] std::size_t stretches() const { return stretches_.size(); }
    [[nodiscard]] u64 bytes() const { return bytes_; }
    /// Calls f(chunk) for each, until it fails.
    template <typename F>
    [[nodiscard]] Result<> for_each_chunk(F f) const {
        for (const Stretch &stretch : stretches_)
            for (const auto &chunk : stretch) TRY(f(std::span(chunk)));
        return {};
    }

private:
    using Stretch = std::vector<std::vector<std::byte>>;
    std::deque<Stretch> stretches_{1};
    u64 bytes_ = 0;
};

} // namespace tandem::machine::flight
