#pragma once
/// A CPU's registers as a debugger gets them described: an architecture fills the tables, the
/// debugger's protocol and the monitor read them. A register's number is its place in all of them.
#include "support/bits.h"

#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine {

struct RegisterDescription {
    std::string name;
    unsigned bits = 64;
    std::string_view type;  ///< of gdb's target descriptions, or of the feature's types
    std::string_view group; ///< empty: gdb chooses
    [[nodiscard]] std::size_t bytes() const { return bits / 8; }
};

/// A set of registers that debuggers know by its name.
struct RegisterFeature {
    std::string_view name;
    std::string_view types; ///< XML: what the registers' types are made of
    std::vector<RegisterDescription> registers;
};

struct RegisterFile {
    std::string_view architecture; ///< gdb's name
    std::vector<RegisterFeature> features;
    std::size_t all_at_once = 0; ///< so many are worth sending whenever a CPU stops
    unsigned program_counter = 0, stack_pointer = 0, frame_pointer = 0;

    [[nodiscard]] std::size_t count() const {
        std::size_t count = 0;
        for (const RegisterFeature &feature : features) count += feature.registers.size();
        return count;
    }
    /// `number` is less than count().
    [[nodiscard]] const RegisterDescription &at(std::size_t number) const {
        auto feature = features.begin();
        while (number >= feature->registers.size()) number -= feature++->registers.size();
        return feature->registers[number];
    }
};

} // namespace tandem::machine
