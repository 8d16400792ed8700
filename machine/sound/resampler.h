#pragma once
/// Sound at another rate: a band-limited interpolation (a windowed sinc, its phases in a table).
#include "devices/backend/sound.h"

#include <span>
#include <vector>

namespace tandem::machine {

class Resampler {
public:
    /// Frames a second, neither of them 0.
    Resampler(u32 from, u32 to);

    [[nodiscard]] u32 from() const { return from_; }
    [[nodiscard]] u32 to() const { return to_; }
    /// Appends what is known of the result by now; some 1 ms of it waits for what comes next.
    void push(std::span<const devices::SoundFrame>, std::vector<devices::SoundFrame> &out);

private:
    [[nodiscard]] devices::SoundFrame interpolate() const;

    u32 from_, to_;
    std::vector<float> table_;                 ///< a row for each phase; empty: rates are equal
    std::vector<devices::SoundFrame> waiting_; ///< from where the next result begins to listen
    u64 phase_ = 0;                            ///< of the next result, in parts of to_
};

} // namespace tandem::machine
