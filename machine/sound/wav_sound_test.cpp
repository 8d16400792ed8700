#include "machine/sound/wav_sound.h"

#include "machine/boot/file_bytes.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

using devices::SoundFrame;

struct WavTest : ::testing::Test {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("tandem-wav-" + std::to_string(::getpid()));
    const std::string path = folder / "sound.wav";

    WavTest() { std::filesystem::create_directories(folder); }
    ~WavTest() override { std::filesystem::remove_all(folder); }

    std::unique_ptr<WavWriter> create(u64 max_bytes = WavWriter::kMaxBytes) const {
        return WavWriter::create(path, max_bytes).value();
    }
    static std::vector<SoundFrame> count(std::size_t frames) {
        std::vector<SoundFrame> out(frames);
        for (std::size_t i = 0; i < frames; ++i)
            out[i] = {static_cast<i16>(i), static_cast<i16>(~i)};
        return out;
    }
    void save(std::string_view bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
};

/// A file with "fmt " of these values, and what follows.
std::string wav(u16 tag, u16 channels, u32 rate, u16 bits, const std::string &rest) {
    std::string out = "RIFF....WAVEfmt ";
    const auto put = [&out](auto value) {
        out.append(reinterpret_cast<const char *>(&value), sizeof(value));
    };
    put(u32{16});
    put(tag);
    put(channels);
    put(rate);
    put(u32{0});
    put(u16{0});
    put(bits);
    return out + rest;
}

TEST_F(WavTest, WhatIsWrittenCanBeRead) {
    const auto frames = count(100'000);
    {
        const auto writer = create();
        for (std::size_t at = 0; at < frames.size(); at += 777)
            writer->write(
                std::span(frames).subspan(at, std::min<std::size_t>(777, frames.size() - at)));
    }
    const auto file = WavFile::read(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->rate, WavWriter::kRate);
    EXPECT_EQ(file->frames, frames);
    const FileBytes bytes = FileBytes::read(path).value();
    EXPECT_EQ(read_le<u32>(bytes.span(), 4), bytes.size() - 8);
}

TEST_F(WavTest, AnEmptyOneIsWhole) {
    create().reset();
    EXPECT_TRUE(WavFile::read(path).value().frames.empty());
}

TEST_F(WavTest, EndsWhereItIsFull) {
    const auto frames = count(1000);
    {
        const auto writer = create(1601);
        ::testing::internal::CaptureStderr();
        writer->write(frames);
        writer->write(frames);
    }
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
    EXPECT_EQ(WavFile::read(path).value().frames, count(400));
}

TEST_F(WavTest, RefusesWhatIsNoFile) {
    const std::string fifo = folder / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    for (const std::string &bad :
         {fifo, folder.string(), std::string("/dev/null"), (folder / "no/such").string()})
        EXPECT_FALSE(WavWriter::create(bad).has_value()) << bad;
}

TEST_F(WavTest, ReadsOtherFiles) {
    // One channel, behind a chunk of odd size; the last one says more than there is.
    save(wav(1, 1, 8000, 16, std::string("LIST\3\0\0\0abc\0data\xff\0\0\0\1\0\2\0", 24)));
    const auto file = WavFile::read(path);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->rate, 8000u);
    EXPECT_EQ(file->frames, (std::vector<SoundFrame>{{1, 1}, {2, 2}}));
}

TEST_F(WavTest, RefusesWhatItCannotRead) {
    const std::string data("data\2\0\0\0\1\0", 10);
    for (const std::string &bad :
         {std::string(), std::string("RIFF"), std::string(100, 'x'), wav(1, 1, 8000, 16, ""),
          wav(3, 2, 48'000, 32, data), wav(1, 0, 48'000, 16, data), wav(1, 3, 48'000, 16, data),
          wav(1, 2, 0, 16, data), wav(1, 2, ~0u, 16, data), wav(1, 2, 48'000, 8, data),
          wav(1, 2, 48'000, 16, std::string("LIST\xff\xff\xff\xff", 8)),
          std::string("RIFF....WAVE") + data}) {
        save(bad);
        const auto file = WavFile::read(path);
        ASSERT_FALSE(file.has_value()) << bad.size();
        EXPECT_TRUE(file.error().message.starts_with(path)) << file.error().message;
    }
}

TEST_F(WavTest, PlaysAtTheFilesRate) {
    {
        WavSound sound(create(), std::nullopt);
        for (int i = 0; i < 10; ++i) sound.play(24'000, std::vector(2400, SoundFrame{1000, -1000}));
        std::vector<SoundFrame> heard(10, SoundFrame{1, 1});
        sound.record(48'000, heard);
        EXPECT_EQ(heard, std::vector<SoundFrame>(10)) << "there is nothing to hear";
    }
    const WavFile file = WavFile::read(path).value();
    EXPECT_NEAR(static_cast<double>(file.frames.size()), 48'000, 64);
    EXPECT_EQ(file.frames[20'000], (SoundFrame{1000, -1000}));
}

TEST_F(WavTest, HearsAFileOnce) {
    WavSound sound(create(), WavFile{.rate = 48'000, .frames = count(1000)});
    std::vector<SoundFrame> heard(600);
    sound.record(48'000, heard);
    EXPECT_EQ(heard, count(600));
    sound.record(48'000, heard);
    EXPECT_EQ(heard[399], count(1000).back());
    EXPECT_EQ(heard[400], SoundFrame{});
    sound.record(44'100, heard);
    EXPECT_EQ(heard, std::vector<SoundFrame>(600));
}

} // namespace
} // namespace tandem::machine
