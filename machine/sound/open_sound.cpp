#include "machine/sound/open_sound.h"

#include "machine/host/module.h"
#include "machine/sound/sdl_sound_module.h"
#include "machine/sound/wav_sound.h"

namespace tandem::machine {

Result<std::unique_ptr<devices::Sound>> open_sound(const SoundConfig &config) {
    switch (config.kind) {
    case SoundConfig::Kind::None: break;
    case SoundConfig::Kind::Wav: {
        const auto with_option = [](const Error &error) {
            return std::unexpected(Error{"--audio wav: " + error.message});
        };
        // First, so that a mistyped name costs no file.
        std::optional<WavFile> in;
        if (!config.in.empty()) {
            auto file = WavFile::read(config.in);
            if (!file.has_value()) return with_option(file.error());
            in = std::move(*file);
        }
        auto out = WavWriter::create(config.out);
        if (!out.has_value()) return with_option(out.error());
        return std::make_unique<WavSound>(std::move(*out), std::move(in));
    }
    case SoundConfig::Kind::Sdl: {
        auto *open = reinterpret_cast<OpenSdlSound *>(
            TRY(function_of_module("--audio sdl", kSdlSoundModule, kOpenSdlSound)));
        Result<std::unique_ptr<devices::Sound>> opened;
        open(config.hears, opened);
        return opened;
    }
    }
    return std::make_unique<devices::Sound>();
}

} // namespace tandem::machine
