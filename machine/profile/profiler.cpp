#include "machine/profile/profiler.h"

#include "machine/profile/summary.h"
#include "support/check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

namespace tandem::machine::profile {

Result<> check_profile(const ProfileConfig &config, bool is_deterministic) {
    if (!format_of(config.path).has_value())
        return failure(fmt::format("--profile {}: no known format; end it in .html (a flame "
                                   "graph), .json (speedscope) or .folded (stacks)",
                                   config.path));
    if (config.rate_hz < 1 || config.rate_hz > ProfileConfig::kMaxRate)
        return failure(fmt::format("--profile-rate {}: out of range; use 1 to {}", config.rate_hz,
                                   ProfileConfig::kMaxRate));
    if (config.by_guest_time && !is_deterministic)
        return failure("--profile-clock guest: only a deterministic machine counts its "
                       "instructions exactly; add --deterministic");
    return {};
}

Profiler::Profiler(const ProfileConfig &config, Format format, std::string title)
    : config_(config), format_(format), title_(std::move(title)),
      guest_interval_(config.by_guest_time ? 1'000'000'000 / config.rate_hz : 0),
      partial_(fmt::format("{}.{}", config.path, ::getpid())) {
    if (config_.by_guest_time) profile_.unit = Unit::Instructions;
}

Result<std::unique_ptr<Profiler>> Profiler::create(const ProfileConfig &config,
                                                   const std::vector<std::string> &symbols,
                                                   std::string title) {
    const auto format = format_of(config.path);
    CHECK(format.has_value()); // check_profile() has been asked
    std::unique_ptr<Profiler> self{new Profiler(config, *format, std::move(title))};
    for (const std::string &file : symbols) TRY(self->files_.read(file));
    if (!std::ofstream(self->partial_))
        return failure(fmt::format("--profile {}: {}; name a file in a folder that can be written",
                                   config.path, std::strerror(errno)));
    if (!config.by_guest_time)
        self->sampler_ = std::make_unique<Sampler>(
            config.rate_hz,
            [profiler = self.get()](const Sample &sample) { profiler->add(sample); });
    return self;
}

Profiler::~Profiler() {
    std::remove(partial_.c_str()); // unless finish() has moved it
}

void Profiler::begin(const GuestMemory &memory) {
    collector_ = std::make_unique<Collector>(files_, memory, profile_);
}

void Profiler::end() {
    if (collector_ != nullptr) collector_->finish();
}

Result<std::string> Profiler::finish() {
    std::ofstream file(partial_, std::ios::binary);
    file << write_profile(profile_, format_, title_);
    file.close();
    if (!file || std::rename(partial_.c_str(), config_.path.c_str()) != 0)
        return failure(fmt::format("--profile {}: {}; the profile is lost, make room and run again",
                                   config_.path, std::strerror(errno)));
    std::string text = fmt::format("profile: {}: {} samples of ", config_.path, profile_.samples);
    if (sampler_ == nullptr) {
        text += fmt::format("{} instructions\n", profile_.total);
    } else {
        text += fmt::format("{:.2f} s of the CPUs' time; they waited for {:.2f} s\n",
                            static_cast<double>(profile_.total) / 1e9,
                            static_cast<double>(sampler_->totals().idle_ns) / 1e9);
    }
    return text + summarise(profile_);
}

} // namespace tandem::machine::profile
