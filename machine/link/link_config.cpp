#include "machine/link/link_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

namespace tandem::machine {
namespace {

constexpr u64 kMillisecond = 1'000'000, kMegabit = 1'000'000;

constexpr LinkConfig link(u64 down_kilobits, u64 up_kilobits, u64 latency_ms, u64 jitter_ms,
                          u32 loss_per_million) {
    const auto direction = [&](u64 kilobits) {
        return LinkDirection{kilobits * 1000, latency_ms * kMillisecond, jitter_ms * kMillisecond,
                             loss_per_million};
    };
    return {.up = direction(up_kilobits), .down = direction(down_kilobits)};
}

// Round figures for what users of such links meet; latency is one way.
// clang-format off
constexpr LinkProfile kProfiles[] = {
    //              down    up      latency jitter loss
    {"none",    link(     0,      0,   0,     0,       0)},
    {"edge",    link(   240,    200, 200,    50,   5'000)},
    {"3g",      link( 1'600,    750, 100,    20,   2'000)},
    {"lte",     link(20'000, 10'000,  30,     5,     500)},
    {"5g",      link(200'000, 50'000, 10,     2,     100)},
    {"wifi",    link(50'000, 50'000,   3,     2,     500)},
    {"lossy",   link(10'000, 10'000,  50,    20, 100'000)},
    {"offline", link(     0,      0,   0,     0, 1'000'000)},
};
// clang-format on

struct Setting {
    std::string_view name;
    u64 LinkDirection::*member; ///< null: the loss
    double scale;               ///< of a written 1
    double most;                ///< as written
};
// clang-format off
constexpr Setting kSettings[] = {
    {"latency", &LinkDirection::latency_ns,      kMillisecond, 60'000},
    {"jitter",  &LinkDirection::jitter_ns,       kMillisecond, 60'000},
    {"rate",    &LinkDirection::bits_per_second, kMegabit,    100'000},
    {"loss",    nullptr,                         10'000,          100},
};
// clang-format on
constexpr std::string_view kUp = "up-", kDown = "down-", kProfile = "profile";

bool take_prefix(std::string_view &text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

u64 value_of(const Setting &setting, const LinkDirection &direction) {
    return setting.member != nullptr ? direction.*setting.member : direction.loss_per_million;
}

Result<> apply_one(std::string_view text, LinkConfig &link) {
    const auto bad = [text](std::string_view why) {
        return failure(fmt::format("{}: {}", text, why));
    };
    std::string_view name = text.substr(0, text.find('='));
    const std::string_view value = text.substr(std::min(name.size() + 1, text.size()));
    if (name == kProfile) {
        const auto found = std::ranges::find(kProfiles, value, &LinkProfile::name);
        if (found == std::end(kProfiles)) {
            std::vector<std::string_view> names;
            for (const LinkProfile &profile : kProfiles) names.push_back(profile.name);
            return bad(fmt::format("no such profile; use {}", fmt::join(names, ", ")));
        }
        link = found->link;
        return {};
    }
    const bool up = take_prefix(name, kUp), down = !up && take_prefix(name, kDown);
    const auto setting = std::ranges::find(kSettings, name, &Setting::name);
    if (setting == std::end(kSettings))
        return bad("unknown; use latency=MS, jitter=MS, loss=PERCENT, rate=MBIT, with up- or down- "
                   "before it for one direction, or profile=NAME");
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || !(number >= 0) ||
        number > setting->most)
        return bad(fmt::format("not a number of 0 to {}", setting->most));
    const u64 scaled = static_cast<u64>(std::llround(number * setting->scale));
    for (LinkDirection *direction : {down ? nullptr : &link.up, up ? nullptr : &link.down}) {
        if (direction == nullptr) continue;
        if (setting->member != nullptr)
            direction->*setting->member = scaled;
        else
            direction->loss_per_million = static_cast<u32>(scaled);
    }
    return {};
}

} // namespace

std::span<const LinkProfile> link_profiles() {
    return kProfiles;
}

bool is_link_setting(std::string_view text) {
    std::string_view name = text.substr(0, text.find('='));
    if (name == kProfile) return true;
    if (!take_prefix(name, kUp)) take_prefix(name, kDown);
    return std::ranges::find(kSettings, name, &Setting::name) != std::end(kSettings);
}

Result<> apply_link_settings(std::string_view text, LinkConfig &link) {
    LinkConfig changed = link;
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find(','));
        TRY(apply_one(one, changed));
        text.remove_prefix(std::min(one.size() + 1, text.size()));
    }
    link = changed;
    return {};
}

std::string to_text(const LinkConfig &link) {
    std::vector<std::string> words;
    for (const auto &[prefix, direction] : {std::pair{kUp, &link.up}, {kDown, &link.down}})
        for (const Setting &setting : kSettings)
            if (const u64 value = value_of(setting, *direction); value != 0)
                words.push_back(fmt::format("{}{}={}", prefix, setting.name,
                                            static_cast<double>(value) / setting.scale));
    return fmt::format("{}", fmt::join(words, ","));
}

} // namespace tandem::machine
