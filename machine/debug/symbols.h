#pragma once
/// Names of guest code: from an ELF file, or from the output of nm, which a kernel's System.map and
/// /proc/kallsyms in the guest are like.
#include "support/bits.h"
#include "support/result.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::machine {

class Symbols {
public:
    /// Adds the symbols of code in "FILE[@OFFSET]": an arm64 ELF file, or lines "ADDRESS TYPE
    /// NAME". The code is OFFSET higher in memory than the file says.
    [[nodiscard]] Result<> read(const std::string &file);
    /// The same, from such lines. False if a line is something else.
    [[nodiscard]] bool parse(std::string_view text, u64 offset = 0);

    /// Adds one, if it is of code; `type` is nm's letter.
    void add(u64 va, char type, std::string_view name);

    struct Found {
        std::string_view name;
        u64 address = 0;
    };
    /// The nearest symbol at or below the address, if it may be code of its.
    [[nodiscard]] std::optional<Found> nearest(u64 va) const;
    /// "name+0x10", of the nearest symbol at or below the address; empty if there is none.
    [[nodiscard]] std::string name(u64 va) const;

private:
    std::map<u64, std::string> symbols_; ///< by address: the last one that was read there
};

} // namespace tandem::machine
