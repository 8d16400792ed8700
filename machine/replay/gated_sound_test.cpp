#include "machine/replay/gated_sound.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

namespace tandem::machine::replay {
namespace {

using devices::SoundFrame;

struct Host final : devices::Sound {
    void play(u32 at, std::span<const SoundFrame> frames) override {
        rate = at;
        heard.insert(heard.end(), frames.begin(), frames.end());
    }
    void record(u32, std::span<SoundFrame> frames) override {
        ++asked;
        for (SoundFrame &frame : frames) frame = says;
    }
    u32 rate = 0;
    std::vector<SoundFrame> heard;
    SoundFrame says{};
    int asked = 0;
};

TEST(GatedSound, PassesEachFrameOnOnce) {
    VirtualClock clock(0);
    Gate gate(clock);
    Host host;
    GatedSound sound(gate, host);
    devices::StateWriter writer;
    sound.save(writer);
    const std::vector<SoundFrame> frames{{1, 2}, {3, 4}, {5, 6}};
    sound.play(44'100, frames);
    EXPECT_EQ(host.rate, 44'100u);
    const u64 outputs = gate.outputs();
    EXPECT_NE(outputs, 0u) << "it leaves the machine";
    devices::StateReader reader(writer.data());
    ASSERT_TRUE(sound.restore(reader).has_value());
    sound.play(44'100, std::span(frames).first(2));
    EXPECT_EQ(host.heard, frames) << "not a second time";
    sound.play(44'100, std::vector<SoundFrame>{{5, 6}, {7, 8}});
    ASSERT_EQ(host.heard.size(), 4u);
    EXPECT_EQ(host.heard.back(), (SoundFrame{7, 8}));
}

TEST(GatedSound, ARecordingHasWhatTheHostSaid) {
    const std::string path =
        std::filesystem::temp_directory_path() / ("tandem-sound-" + std::to_string(::getpid()));
    const auto ask = [](GatedSound &sound) {
        std::vector<SoundFrame> frames(3, SoundFrame{9, 9});
        sound.record(48'000, frames);
        return frames;
    };
    // Twice in one moment, the first time silence.
    const std::vector<std::pair<u64, SoundFrame>> said{
        {100, {}}, {100, {1, -1}}, {250, {2, -2}}, {300, {}}};
    {
        auto journal = JournalWriter::create(path, "{}", [](const Error &) {});
        ASSERT_TRUE(journal.has_value());
        VirtualClock clock(0);
        Gate gate(clock);
        Host host;
        GatedSound sound(gate, host);
        gate.record(**journal);
        for (const auto &[moment, frame] : said) {
            clock.advance_to(moment);
            host.says = frame;
            EXPECT_EQ(ask(sound), std::vector(3, frame));
        }
        (*journal)->end(400, {RunEnd::Guest, {}});
    }
    auto journal = JournalReader::open(path);
    ASSERT_TRUE(journal.has_value());
    VirtualClock clock(0);
    Gate gate(clock);
    Host host{};
    host.says = {7, 7};
    GatedSound sound(gate, host);
    gate.replay(**journal);
    for (const auto &[moment, frame] : said) {
        clock.advance_to(moment);
        EXPECT_EQ(ask(sound), std::vector(3, frame)) << "at " << moment;
    }
    EXPECT_EQ(host.asked, 0);
    clock.advance_to(400);
    EXPECT_TRUE(gate.is_over());
    std::filesystem::remove(path);
}

} // namespace
} // namespace tandem::machine::replay
