#include "machine/sound/wav_sound.h"

#include <algorithm>

namespace tandem::machine {

using devices::SoundFrame;

void WavSound::play(u32 rate, std::span<const SoundFrame> frames) {
    if (!to_file_.has_value() || to_file_->from() != rate) to_file_.emplace(rate, WavWriter::kRate);
    to_write_.clear();
    to_file_->push(frames, to_write_);
    out_->write(to_write_);
}

void WavSound::record(u32 rate, std::span<SoundFrame> frames) {
    if (!in_.has_value()) return devices::Sound::record(rate, frames);
    if (!from_file_.has_value() || from_file_->to() != rate) {
        from_file_.emplace(in_->rate, rate);
        to_hear_.clear();
    }
    while (to_hear_.size() < frames.size() && heard_ < in_->frames.size()) {
        const auto next = std::span(in_->frames).subspan(heard_);
        const auto piece = next.first(std::min<std::size_t>(next.size(), 256));
        heard_ += piece.size();
        from_file_->push(piece, to_hear_);
    }
    const auto count = static_cast<std::ptrdiff_t>(std::min(frames.size(), to_hear_.size()));
    std::ranges::fill(std::copy_n(to_hear_.begin(), count, frames.begin()), frames.end(),
                      SoundFrame{});
    to_hear_.erase(to_hear_.begin(), to_hear_.begin() + count);
}

} // namespace tandem::machine
