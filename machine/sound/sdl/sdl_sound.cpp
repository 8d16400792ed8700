#include "machine/sound/sdl/sdl_sound.h"

#include "machine/sound/sdl_sound_module.h"

#include <fmt/format.h>

#include <array>

namespace tandem::machine {

using devices::SoundFrame;

namespace {

/// What the host asks for at a time: 11 ms.
constexpr u16 kPeriodFrames = 512;
/// Silence before what follows a pause: the device hands frames over some milliseconds at a time.
constexpr std::size_t kCushion = SdlStream::kRate * 30 / 1000;
/// More in a queue means that one side's clock is faster, or that the other was kept from its work.
constexpr std::size_t kMostQueued = SdlStream::kRate / 4;

} // namespace

Result<std::unique_ptr<SdlStream>> SdlStream::open(Direction direction) {
    const auto refused = [&] {
        return failure(fmt::format("--audio sdl: {}: {}; use --audio none",
                                   direction == Direction::In ? "microphone" : "loudspeaker",
                                   ::SDL_GetError()));
    };
    if (::SDL_InitSubSystem(SDL_INIT_AUDIO) != 0) return refused();
    SDL_AudioSpec wanted{};
    wanted.freq = static_cast<int>(kRate);
    wanted.format = AUDIO_S16SYS;
    wanted.channels = 2;
    wanted.samples = kPeriodFrames;
    const SDL_AudioDeviceID id =
        ::SDL_OpenAudioDevice(nullptr, direction == Direction::In ? 1 : 0, &wanted, nullptr, 0);
    if (id == 0) {
        const auto error = refused();
        ::SDL_QuitSubSystem(SDL_INIT_AUDIO);
        return error;
    }
    ::SDL_PauseAudioDevice(id, 0);
    return std::make_unique<SdlStream>(id);
}

SdlStream::~SdlStream() {
    ::SDL_CloseAudioDevice(id_);
    ::SDL_QuitSubSystem(SDL_INIT_AUDIO);
}

std::size_t SdlStream::queued() const {
    return ::SDL_GetQueuedAudioSize(id_) / sizeof(SoundFrame);
}

void SdlStream::put(std::span<const SoundFrame> frames) {
    // Without memory for it, it is lost.
    static_cast<void>(::SDL_QueueAudio(id_, frames.data(), static_cast<u32>(frames.size_bytes())));
}

std::size_t SdlStream::take(std::span<SoundFrame> frames) {
    return ::SDL_DequeueAudio(id_, frames.data(), static_cast<u32>(frames.size_bytes())) /
           sizeof(SoundFrame);
}

void SdlStream::clear() {
    ::SDL_ClearQueuedAudio(id_);
}

void SdlSound::play(u32 rate, std::span<const SoundFrame> frames) {
    if (!to_host_.has_value() || to_host_->from() != rate) to_host_.emplace(rate, SdlStream::kRate);
    to_play_.clear();
    const std::size_t queued = out_->queued();
    if (queued == 0) to_play_.resize(kCushion);
    to_host_->push(frames, to_play_);
    if (queued + to_play_.size() <= kMostQueued) out_->put(to_play_);
}

void SdlSound::record(u32 rate, std::span<SoundFrame> frames) {
    if (in_ == nullptr) return devices::Sound::record(rate, frames);
    const bool is_old = input_.set_rates(SdlStream::kRate, rate); // what waits is of long ago
    if (is_old || in_->queued() > kMostQueued) in_->clear();
    std::array<SoundFrame, 256> piece;
    input_.fill(frames, [&] { return std::span<const SoundFrame>(piece).first(in_->take(piece)); });
}

} // namespace tandem::machine

extern "C" [[gnu::visibility("default")]] void
tandem_open_sdl_sound(bool hears, tandem::Result<std::unique_ptr<tandem::devices::Sound>> &opened) {
    using namespace tandem::machine;
    opened = [hears]() -> tandem::Result<std::unique_ptr<tandem::devices::Sound>> {
        auto out = TRY(SdlStream::open(SdlStream::Direction::Out));
        std::unique_ptr<SdlStream> in;
        if (hears) in = TRY(SdlStream::open(SdlStream::Direction::In));
        return std::make_unique<SdlSound>(std::move(out), std::move(in));
    }();
}
