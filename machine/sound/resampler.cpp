#include "machine/sound/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace tandem::machine {

using devices::SoundFrame;

namespace {

constexpr std::size_t kTaps = 32;
constexpr std::size_t kPhases = 256; ///< between them it is interpolated

i16 rounded(double value) {
    return static_cast<i16>(std::lround(std::clamp(value, -32768.0, 32767.0)));
}

/// So that silence stays silence and full scale full scale, a row adds up to 1.
std::vector<float> make_table(double cutoff) {
    std::vector<float> table((kPhases + 1) * kTaps);
    for (std::size_t phase = 0; phase <= kPhases; ++phase) {
        const auto row = std::span(table).subspan(phase * kTaps, kTaps);
        double sum = 0;
        for (std::size_t tap = 0; tap < kTaps; ++tap) {
            const double x =
                static_cast<double>(tap) - (kTaps / 2 - 1) - static_cast<double>(phase) / kPhases;
            const double angle = std::numbers::pi * x;
            const double sinc = x == 0 ? cutoff : std::sin(angle * cutoff) / angle;
            const double window = 0.5 + 0.5 * std::cos(angle / (kTaps / 2.0)); // Hann
            row[tap] = static_cast<float>(std::abs(x) < kTaps / 2.0 ? sinc * window : 0);
            sum += static_cast<double>(row[tap]);
        }
        for (float &value : row) value = static_cast<float>(static_cast<double>(value) / sum);
    }
    return table;
}

} // namespace

Resampler::Resampler(u32 from, u32 to) : from_(from), to_(to) {
    if (from == to) return;
    table_ = make_table(std::min(1.0, static_cast<double>(to) / from));
    waiting_.resize(kTaps / 2 - 1); // silence, before the first frame
}

SoundFrame Resampler::interpolate() const {
    const double place = static_cast<double>(phase_) * kPhases / to_;
    const auto phase = static_cast<std::size_t>(place);
    const double part = place - static_cast<double>(phase);
    const float *row = table_.data() + phase * kTaps, *next = row + kTaps;
    double left = 0, right = 0;
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
        const double weight =
            static_cast<double>(row[tap]) * (1 - part) + static_cast<double>(next[tap]) * part;
        left += weight * waiting_[tap].left;
        right += weight * waiting_[tap].right;
    }
    return {.left = rounded(left), .right = rounded(right)};
}

void Resampler::push(std::span<const SoundFrame> frames, std::vector<SoundFrame> &out) {
    if (table_.empty()) {
        out.insert(out.end(), frames.begin(), frames.end());
        return;
    }
    for (const SoundFrame &frame : frames) {
        waiting_.push_back(frame);
        while (waiting_.size() >= kTaps && phase_ < to_) {
            out.push_back(interpolate());
            phase_ += from_;
        }
        // On to the frame that the next result is near.
        while (waiting_.size() >= kTaps && phase_ >= to_) {
            waiting_.erase(waiting_.begin());
            phase_ -= to_;
        }
    }
}

} // namespace tandem::machine
