#include "machine/sound/resampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tandem::machine {
namespace {

using devices::SoundFrame;

std::vector<SoundFrame> tone(u32 rate, double frequency, std::size_t frames) {
    std::vector<SoundFrame> out(frames);
    for (std::size_t i = 0; i < frames; ++i) {
        const double value =
            20'000 * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(i) / rate);
        out[i] = {static_cast<i16>(std::lround(value)), static_cast<i16>(std::lround(-value))};
    }
    return out;
}

TEST(Resampler, KeepsATone) {
    for (const auto &[from, to] : {std::pair{44'100u, 48'000u},
                                   {48'000u, 44'100u},
                                   {8'000u, 48'000u},
                                   {48'000u, 8'000u},
                                   {11'025u, 48'000u},
                                   {44'056u, 48'000u}}) {
        Resampler resampler(from, to);
        std::vector<SoundFrame> out;
        const auto in = tone(from, 440, from);
        // In pieces of any size.
        for (std::size_t at = 0, size = 1; at < in.size(); at += size, size = size * 2 % 1009)
            resampler.push(std::span(in).subspan(at, std::min(size, in.size() - at)), out);
        ASSERT_GE(out.size(), std::size_t{to} - 32 * to / std::min(from, to) - 2) << from;
        ASSERT_LE(out.size(), to) << from;
        const auto expected = tone(to, 440, out.size());
        // To 0.3 %, but for the start, before which there is silence.
        for (std::size_t i = to / 100; i < out.size(); ++i) {
            ASSERT_NEAR(out[i].left, expected[i].left, 60) << from << " to " << to << " at " << i;
            ASSERT_NEAR(out[i].right, expected[i].right, 60);
        }
    }
}

TEST(Resampler, LeavesOutWhatTheRateCannotHave) {
    Resampler resampler(48'000, 8'000);
    std::vector<SoundFrame> out;
    resampler.push(tone(48'000, 7'000, 48'000), out);
    for (std::size_t i = 100; i < out.size(); ++i) ASSERT_LT(std::abs(out[i].left), 200) << i;
}

TEST(Resampler, EqualRatesChangeNothing) {
    Resampler resampler(48'000, 48'000);
    std::vector<SoundFrame> out;
    const auto in = tone(48'000, 1000, 500);
    resampler.push(in, out);
    EXPECT_EQ(out, in);
}

TEST(Resampler, FullScaleStaysWithin) {
    Resampler resampler(44'100, 48'000);
    std::vector<SoundFrame> out;
    std::vector<SoundFrame> square(1000);
    for (std::size_t i = 0; i < square.size(); ++i)
        square[i].left = i / 50 % 2 == 0 ? i16{32767} : i16{-32768};
    resampler.push(square, out);
    ASSERT_GT(out.size(), 500u);
    EXPECT_TRUE(std::ranges::any_of(out, [](const SoundFrame &f) { return f.left == 32767; }));
}

} // namespace
} // namespace tandem::machine
