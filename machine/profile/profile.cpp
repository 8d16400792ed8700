#include "machine/profile/profile.h"

#include <algorithm>

namespace tandem::machine::profile {

u32 NameTable::number_of(std::string_view name) {
    const auto [at, is_new] =
        numbers_.try_emplace(std::string(name), static_cast<u32>(names_.size()));
    if (is_new) names_.push_back(&at->first);
    return at->second;
}

void Profile::add(Stack stack, u64 weight) {
    total += weight;
    ++samples;
    if (stacks.size() >= kMaxStacks && !stacks.contains(stack))
        stack = {names.number_of("[more stacks]")};
    stacks[std::move(stack)] += weight;
}

std::string plain_name(std::string_view name) {
    std::string plain(name);
    std::ranges::replace_if(plain, [](char c) { return c < ' ' || c > '~' || c == ';'; }, '?');
    std::ranges::replace(plain, ' ', '_');
    return plain.empty() ? "?" : plain;
}

} // namespace tandem::machine::profile
