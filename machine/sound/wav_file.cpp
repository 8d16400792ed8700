#include "machine/sound/wav_file.h"

#include "machine/boot/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace tandem::machine {

using devices::SoundFrame;

namespace {

constexpr u16 kPcm = 1, kExtensible = 0xfffe;
constexpr u64 kHeaderBytes = 44, kChunkHeader = 8;

/// What of "fmt " is looked at.
struct Format {
    u16 tag = 0, channels = 0;
    u32 rate = 0;
    u16 bits = 0;
};

std::array<std::byte, kHeaderBytes> header_of(u64 bytes) {
    std::array<std::byte, kHeaderBytes> header;
    const auto put = [&header](std::size_t at, const auto &value) {
        std::memcpy(header.data() + at, &value, sizeof(value));
    };
    constexpr u16 kChannels = 2, kFrameBytes = sizeof(SoundFrame);
    std::memcpy(header.data(), "RIFF....WAVEfmt ", 16);
    put(4, static_cast<u32>(kHeaderBytes - kChunkHeader + bytes));
    put(16, u32{16});
    put(20, kPcm);
    put(22, kChannels);
    put(24, u32{WavWriter::kRate});
    put(28, u32{WavWriter::kRate * kFrameBytes});
    put(32, kFrameBytes);
    put(34, u16{16});
    std::memcpy(header.data() + 36, "data", 4);
    put(40, static_cast<u32>(bytes));
    return header;
}

bool write_at(int fd, std::span<const std::byte> bytes, u64 offset) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<u64>(count);
    }
    return true;
}

} // namespace

Result<WavFile> WavFile::read(const std::string &path) {
    const FileBytes file = TRY(FileBytes::read(path, kMaxBytes + 1));
    if (file.size() > kMaxBytes)
        return failure(
            fmt::format("{}: more than {}; use a shorter one", path, human_size(kMaxBytes)));
    return parse(file.span(), path);
}

Result<WavFile> WavFile::parse(std::span<const std::byte> bytes, const std::string &path) {
    if (!has_text(bytes, 0, "RIFF") || !has_text(bytes, 8, "WAVE"))
        return failure(fmt::format("{}: not a WAV file; convert it to one", path));
    std::optional<Format> format;
    std::span<const std::byte> data;
    bool has_data = false;
    for (u64 at = 12; at + kChunkHeader <= bytes.size() && !has_data;) {
        const u64 wanted = read_le<u32>(bytes, at + 4);
        // A file that was cut off has less than it says.
        const auto chunk = bytes.subspan(at + kChunkHeader)
                               .first(std::min<u64>(wanted, bytes.size() - at - kChunkHeader));
        if (has_text(bytes, at, "fmt "))
            format = Format{read_le<u16>(chunk, 0), read_le<u16>(chunk, 2), read_le<u32>(chunk, 4),
                            read_le<u16>(chunk, 14)};
        has_data = has_text(bytes, at, "data");
        if (has_data) data = chunk;
        at += kChunkHeader + wanted + wanted % 2; // chunks are padded to words
    }
    if (!format.has_value() || !has_data)
        return failure(fmt::format("{}: damaged: a WAV file without {}; use another copy", path,
                                   format.has_value() ? "samples" : "a format"));
    const bool is_known = (format->tag == kPcm || format->tag == kExtensible) &&
                          format->bits == 16 && (format->channels == 1 || format->channels == 2) &&
                          format->rate >= kMinRate && format->rate <= kMaxRate;
    if (!is_known)
        return failure(
            fmt::format("{}: {} channels of {} bits at {} Hz, format {}; convert it to PCM of "
                        "16 bits with one channel or two",
                        path, format->channels, format->bits, format->rate, format->tag));
    WavFile file{.rate = format->rate, .frames = {}};
    const std::size_t frame_bytes = format->channels * sizeof(i16);
    file.frames.resize(data.size() / frame_bytes);
    for (std::size_t i = 0; i < file.frames.size(); ++i) {
        std::memcpy(&file.frames[i], data.data() + i * frame_bytes, frame_bytes);
        if (format->channels == 1) file.frames[i].right = file.frames[i].left;
    }
    return file;
}

Result<std::unique_ptr<WavWriter>> WavWriter::create(const std::string &path, u64 max_bytes) {
    // Not to wait for whoever reads a FIFO.
    ScopedFd file{
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666)};
    const auto refused = [&path](std::string_view why) {
        return failure(fmt::format("{}: {}; name a file that can be written", path, why));
    };
    if (!file.is_open()) return refused(std::strerror(errno));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return refused("not a file");
    if (!write_at(file.get(), header_of(0), 0)) return refused(std::strerror(errno));
    return std::make_unique<WavWriter>(std::move(file), path, max_bytes);
}

WavWriter::WavWriter(ScopedFd file, std::string path, u64 max_bytes)
    : file_(std::move(file)), path_(std::move(path)), max_bytes_(max_bytes) {
    writer_.emplace([this] { write_waiting(); });
}

WavWriter::~WavWriter() {
    writer_.reset();
    write_waiting();
}

void WavWriter::write(std::span<const SoundFrame> frames) {
    {
        const std::lock_guard lock(mutex_);
        const std::size_t room = kMaxWaiting - waiting_.size();
        has_gap_ |= frames.size() > room;
        const auto taken = frames.first(std::min(frames.size(), room));
        waiting_.insert(waiting_.end(), taken.begin(), taken.end());
    }
    writer_->ask();
}

void WavWriter::write_waiting() {
    std::vector<SoundFrame> frames;
    bool has_gap = false;
    {
        const std::lock_guard lock(mutex_);
        frames.swap(waiting_);
        has_gap = std::exchange(has_gap_, false);
    }
    if (has_ended_ || frames.empty()) return;
    auto bytes = std::as_bytes(std::span(frames));
    const bool fits = bytes.size() <= max_bytes_ - bytes_;
    if (!fits) bytes = bytes.first(align_down(max_bytes_ - bytes_, sizeof(SoundFrame)));
    // The length comes after what it counts.
    if (!write_at(file_.get(), bytes, kHeaderBytes + bytes_) ||
        !write_at(file_.get(), header_of(bytes_ + bytes.size()), 0))
        return give_up(std::strerror(errno));
    bytes_ += bytes.size();
    if (!fits) return give_up("a WAV file holds no more");
    if (has_gap)
        fmt::print(stderr, "tandem: {}: the file is slower than the sound; it has a gap\r\n",
                   path_);
}

void WavWriter::give_up(const std::string &why) {
    has_ended_ = true;
    fmt::print(stderr, "tandem: {}: {}; the rest of the sound is not kept\r\n", path_, why);
}

} // namespace tandem::machine
