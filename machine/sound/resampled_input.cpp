#include "machine/sound/resampled_input.h"

#include <algorithm>

namespace tandem::machine {

bool ResampledInput::set_rates(u32 from, u32 to) {
    if (resampler_.has_value() && resampler_->from() == from && resampler_->to() == to)
        return false;
    resampler_.emplace(from, to);
    waiting_.clear();
    return true;
}

void ResampledInput::fill(std::span<devices::SoundFrame> frames, const Next &next) {
    while (waiting_.size() < frames.size()) {
        const auto piece = next();
        if (piece.empty()) break;
        resampler_->push(piece, waiting_);
    }
    const auto count = static_cast<std::ptrdiff_t>(std::min(frames.size(), waiting_.size()));
    std::ranges::fill(std::copy_n(waiting_.begin(), count, frames.begin()), frames.end(),
                      devices::SoundFrame{});
    waiting_.erase(waiting_.begin(), waiting_.begin() + count);
}

} // namespace tandem::machine
