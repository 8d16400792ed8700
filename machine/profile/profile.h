#pragma once
/// What a profile consists of once addresses have names: weights by call stack.
#include "support/bits.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tandem::machine::profile {

enum class Unit : u8 { Nanoseconds, Instructions };

/// Names by number.
class NameTable {
public:
    [[nodiscard]] u32 number_of(std::string_view name);
    [[nodiscard]] const std::string &name(u32 number) const { return *names_[number]; }
    [[nodiscard]] std::size_t size() const { return names_.size(); }

private:
    std::unordered_map<std::string, u32> numbers_;
    std::vector<const std::string *> names_; ///< keys of numbers_
};

/// A call stack, outermost frame first, by names' numbers.
using Stack = std::vector<u32>;

struct Profile {
    /// So many stacks are told apart, the rest goes to one, so that no guest fills the host.
    static constexpr std::size_t kMaxStacks = 1'000'000;

    Unit unit = Unit::Nanoseconds;
    NameTable names;
    std::map<Stack, u64> stacks; ///< their own weight, without that of their callees
    u64 total = 0;
    u64 samples = 0;

    void add(Stack stack, u64 weight);
};

/// Printable ASCII without what separates frames in files: names come from the guest.
[[nodiscard]] std::string plain_name(std::string_view name);

} // namespace tandem::machine::profile
