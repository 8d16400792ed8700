#include "machine/replay/gated_sound.h"

#include <algorithm>

namespace tandem::machine::replay {

using devices::SoundFrame;

namespace {

struct SoundState {
    static constexpr u32 kVersion = 1;

    u64 played = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.played);
    }
};

} // namespace

void GatedSound::play(u32 rate, std::span<const SoundFrame> frames) {
    gate_.sent(port_, std::as_bytes(std::span(&rate, 1)));
    gate_.sent(port_, std::as_bytes(frames));
    const u64 known = std::min<u64>(passed_on_ - std::min(passed_on_, played_), frames.size());
    played_ += frames.size();
    passed_on_ = std::max(passed_on_, played_);
    if (const auto fresh = frames.subspan(known); !fresh.empty()) host_.play(rate, fresh);
}

void GatedSound::record(u32 rate, std::span<SoundFrame> frames) {
    gate_.take(port_, std::as_writable_bytes(frames), [&] { host_.record(rate, frames); });
}

void GatedSound::save(devices::StateWriter &writer) const {
    devices::save_state(writer, "sound", SoundState{played_});
}

Result<> GatedSound::restore(devices::StateReader &reader) {
    SoundState state;
    TRY(devices::restore_state(reader, "sound", state));
    played_ = state.played;
    return {};
}

} // namespace tandem::machine::replay
