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
    input_.set_rates(in_->rate, rate);
    input_.fill(frames, [this] {
        const auto left = std::span(in_->frames).subspan(heard_);
        const auto piece = left.first(std::min<std::size_t>(left.size(), 256));
        heard_ += piece.size();
        return piece;
    });
}

} // namespace tandem::machine
