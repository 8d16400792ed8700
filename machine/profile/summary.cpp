#include "machine/profile/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace tandem::machine::profile {
namespace {

constexpr std::size_t kFunctions = 10;

struct Shares {
    u64 self = 0, total = 0;
};

std::string percent(u64 part, u64 whole) {
    return fmt::format("{:5.1f} %",
                       whole == 0 ? 0.0
                                  : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

} // namespace

std::string summarise(const Profile &profile) {
    const auto is_activity = [&](u32 number) { return profile.names.name(number)[0] == '['; };
    std::vector<Shares> functions(profile.names.size());
    std::vector<std::pair<u64, u32>> activities;
    for (const auto &[stack, weight] : profile.stacks) {
        const bool has_activity = is_activity(stack.back());
        if (has_activity) functions[stack.back()].self += weight;
        // The outermost frame is the process.
        std::unordered_set<u32> seen;
        for (std::size_t i = 1; i + (has_activity ? 1 : 0) < stack.size(); ++i)
            if (seen.insert(stack[i]).second) functions[stack[i]].total += weight;
        const std::size_t own = stack.size() - (has_activity ? 2 : 1);
        if (stack.size() > (has_activity ? 2u : 1u)) functions[stack[own]].self += weight;
    }
    std::vector<u32> order;
    for (u32 i = 0; i < functions.size(); ++i) {
        if (functions[i].self == 0) continue;
        if (is_activity(i))
            activities.emplace_back(functions[i].self, i);
        else
            order.push_back(i);
    }
    std::ranges::sort(activities, std::greater{});
    const std::size_t shown = std::min(order.size(), kFunctions);
    std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(shown),
                              [&](u32 a, u32 b) { return functions[a].self > functions[b].self; });
    std::string text;
    for (const auto &[weight, number] : activities)
        text += fmt::format("  {}           {}\n", percent(weight, profile.total),
                            profile.names.name(number));
    if (shown != 0) text += "     self    total  function\n";
    for (std::size_t i = 0; i < shown; ++i)
        text += fmt::format("  {} {}  {}\n", percent(functions[order[i]].self, profile.total),
                            percent(functions[order[i]].total, profile.total),
                            profile.names.name(order[i]));
    return text;
}

} // namespace tandem::machine::profile
