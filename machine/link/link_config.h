#pragma once
/// How good a guest's network link is: plain data, its settings as text, and named profiles.
#include "support/bits.h"
#include "support/result.h"

#include <span>
#include <string>
#include <string_view>

namespace tandem::machine {

/// One direction; zeros: as it is.
struct LinkDirection {
    u64 bits_per_second = 0; ///< 0: without limit
    u64 latency_ns = 0, jitter_ns = 0;
    u32 loss_per_million = 0;

    [[nodiscard]] bool is_shaped() const { return *this != LinkDirection{}; }
    friend bool operator==(const LinkDirection &, const LinkDirection &) = default;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.bits_per_second, self.latency_ns, self.jitter_ns, self.loss_per_million);
    }
};

struct LinkConfig {
    LinkDirection up, down; ///< from the guest, and to it

    [[nodiscard]] bool is_shaped() const { return up.is_shaped() || down.is_shaped(); }
    friend bool operator==(const LinkConfig &, const LinkConfig &) = default;
};

struct LinkProfile {
    std::string_view name;
    LinkConfig link;
};
[[nodiscard]] std::span<const LinkProfile> link_profiles();

/// Whether the text begins one of the settings below.
[[nodiscard]] bool is_link_setting(std::string_view text);
/// Changes what the text says: settings with commas between, each latency=MS, jitter=MS,
/// loss=PERCENT, rate=MBIT (0: without limit), of one direction with "up-" or "down-" before it, or
/// profile=NAME, which replaces everything.
[[nodiscard]] Result<> apply_link_settings(std::string_view text, LinkConfig &);
/// Settings that make this of an unshaped link.
[[nodiscard]] std::string to_text(const LinkConfig &);

} // namespace tandem::machine
