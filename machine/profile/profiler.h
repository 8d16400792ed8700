#pragma once
/// The profiler of a machine: from samples of its CPUs to a file. It outlives the boards.
#include "machine/debug/symbols.h"
#include "machine/profile/collector.h"
#include "machine/profile/formats.h"
#include "machine/profile/profile_config.h"
#include "machine/profile/sampler.h"
#include "support/result.h"

#include <memory>
#include <string>
#include <vector>

namespace tandem::machine::profile {

/// Without file: whether the options make sense.
[[nodiscard]] Result<> check_profile(const ProfileConfig &, bool is_deterministic);

class Profiler {
public:
    /// `title` says what is run; `symbols` are files that name guest code (Symbols::read). The
    /// file's folder must be writable; the file itself is replaced by finish().
    [[nodiscard]] static Result<std::unique_ptr<Profiler>>
    create(const ProfileConfig &, const std::vector<std::string> &symbols, std::string title);
    ~Profiler();
    Profiler(const Profiler &) = delete;
    Profiler &operator=(const Profiler &) = delete;

    /// The machine's next board, with this memory, is about to run; it has ended, its memory is
    /// still there.
    void begin(const GuestMemory &);
    void end();

    /// Null if guest time decides when to sample.
    [[nodiscard]] Sampler *sampler() { return sampler_.get(); }
    /// Of a CPU's instructions, between samples; 0 if the sampler decides.
    [[nodiscard]] u64 guest_interval() const { return guest_interval_; }
    /// While a board runs: the thread of its CPUs, if guest time decides.
    void add(const Sample &sample) { collector_->add(sample); }
    /// Any thread, while a board runs: see LinuxGuest.
    [[nodiscard]] u32 name_offset() const { return collector_->guest().name_offset(); }

    /// After the last board: writes the file; returns what to tell the user.
    [[nodiscard]] Result<std::string> finish();

private:
    Profiler(const ProfileConfig &, Format, std::string title);

    const ProfileConfig config_;
    const Format format_;
    const std::string title_;
    const u64 guest_interval_;
    const std::string partial_; ///< where the file is until it is complete
    Symbols files_;
    Profile profile_;
    std::unique_ptr<Collector> collector_; ///< of the running board
    std::unique_ptr<Sampler> sampler_;     ///< goes first
};

} // namespace tandem::machine::profile
