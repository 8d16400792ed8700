#pragma once
/// A loudspeaker that writes a file, and a microphone that hears one.
#include "machine/sound/resampled_input.h"
#include "machine/sound/wav_file.h"

#include <memory>
#include <optional>

namespace tandem::machine {

class WavSound final : public devices::Sound {
public:
    /// Without a file the microphone hears nothing.
    WavSound(std::unique_ptr<WavWriter> out, std::optional<WavFile> in)
        : out_(std::move(out)), in_(std::move(in)) {}

    void play(u32 rate, std::span<const devices::SoundFrame>) override;
    /// Goes on in the file where it was; after its end there is silence.
    void record(u32 rate, std::span<devices::SoundFrame>) override;

private:
    const std::unique_ptr<WavWriter> out_;
    const std::optional<WavFile> in_;
    std::size_t heard_ = 0; ///< frames of the file
    ResampledInput input_;
    std::optional<Resampler> to_file_; ///< of the last rate
    std::vector<devices::SoundFrame> to_write_;
};

} // namespace tandem::machine
