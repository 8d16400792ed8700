#pragma once
/// Plays on the host's loudspeaker and hears its microphone, by SDL, which keeps a queue for each.
#include "machine/sound/resampled_input.h"
#include "support/result.h"

#include <SDL2/SDL.h>

#include <memory>
#include <optional>
#include <vector>

namespace tandem::machine {

/// One of the host's devices, at 48 kHz with two channels. Closed when it is destroyed.
class SdlStream {
public:
    enum class Direction : u8 { Out, In };
    static constexpr u32 kRate = 48'000;

    /// The error begins with --audio sdl.
    [[nodiscard]] static Result<std::unique_ptr<SdlStream>> open(Direction);
    explicit SdlStream(SDL_AudioDeviceID id) : id_(id) {}
    ~SdlStream();
    SdlStream(const SdlStream &) = delete;
    SdlStream &operator=(const SdlStream &) = delete;

    [[nodiscard]] std::size_t queued() const; ///< frames
    void put(std::span<const devices::SoundFrame>);
    /// As many as there are, at the front.
    [[nodiscard]] std::size_t take(std::span<devices::SoundFrame>);
    void clear();

private:
    const SDL_AudioDeviceID id_;
};

class SdlSound final : public devices::Sound {
public:
    /// Without `in` the guest records silence.
    SdlSound(std::unique_ptr<SdlStream> out, std::unique_ptr<SdlStream> in)
        : out_(std::move(out)), in_(std::move(in)) {}

    void play(u32 rate, std::span<const devices::SoundFrame>) override;
    void record(u32 rate, std::span<devices::SoundFrame>) override;

private:
    const std::unique_ptr<SdlStream> out_, in_;
    ResampledInput input_;
    std::optional<Resampler> to_host_; ///< of the last rate
    std::vector<devices::SoundFrame> to_play_;
};

} // namespace tandem::machine
