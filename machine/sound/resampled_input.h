#pragma once
/// What a guest hears, at the rate that it asks for.
#include "machine/sound/resampler.h"

#include <functional>
#include <optional>

namespace tandem::machine {

class ResampledInput {
public:
    /// The source's next frames; none when it has no more by now.
    using Next = std::function<std::span<const devices::SoundFrame>()>;

    /// Whether they differ from those before, of which nothing is kept then.
    bool set_rates(u32 from, u32 to);
    /// Fills all of it, with silence where the source has nothing. set_rates() comes first.
    void fill(std::span<devices::SoundFrame>, const Next &);

private:
    std::optional<Resampler> resampler_;
    std::vector<devices::SoundFrame> waiting_;
};

} // namespace tandem::machine
