#pragma once
/// WAV files (Microsoft's Multimedia Programming Interface and Data Specifications 1.0: RIFF,
/// WAVE).
#include "devices/backend/sound.h"
#include "machine/host/errand.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem::machine {

/// A file that is read at once.
struct WavFile {
    u32 rate = 0;
    std::vector<devices::SoundFrame> frames;

    static constexpr u32 kMinRate = 4000, kMaxRate = 192'000;
    static constexpr u64 kMaxBytes = u64{1} << 30;

    /// Of 16 bits, with one channel or two. The error reads "PATH: reason; mend".
    [[nodiscard]] static Result<WavFile> read(const std::string &path);
    [[nodiscard]] static Result<WavFile> parse(std::span<const std::byte>, const std::string &path);
};

/// A file that grows, always complete up to where it is. A thread of its own writes it.
class WavWriter {
public:
    static constexpr u32 kRate = 48'000;
    /// Of all samples: RIFF has the length of the rest of the file in 32 bits.
    static constexpr u64 kMaxBytes = 0xffff'ffff - 64;

    [[nodiscard]] static Result<std::unique_ptr<WavWriter>> create(const std::string &path,
                                                                   u64 max_bytes = kMaxBytes);
    WavWriter(ScopedFd, std::string path, u64 max_bytes);
    ~WavWriter();

    /// Any thread; returns at once. A file that is late by more than kMaxWaiting frames has a gap,
    /// and says so.
    void write(std::span<const devices::SoundFrame>);

private:
    static constexpr std::size_t kMaxWaiting = std::size_t{30} * kRate;

    void write_waiting();
    /// Says it once.
    void give_up(const std::string &why);

    const ScopedFd file_;
    const std::string path_;
    const u64 max_bytes_;
    u64 bytes_ = 0;          ///< of samples that have been written
    bool has_ended_ = false; ///< the file takes no more
    std::mutex mutex_;       ///< guards what follows
    std::vector<devices::SoundFrame> waiting_;
    bool has_gap_ = false;
    std::optional<Errand> writer_; ///< without it the file is being closed
};

} // namespace tandem::machine
