#pragma once
/// Names of guest code, from the output of nm: of a kernel's System.map, of /proc/kallsyms in the
/// guest, or of `nm PROGRAM` for one that is linked to a fixed address.
#include "support/bits.h"
#include "support/result.h"

#include <map>
#include <string>
#include <string_view>

namespace tandem::machine {

class Symbols {
public:
    /// Adds the symbols of code in a file of lines "ADDRESS TYPE NAME".
    [[nodiscard]] Result<> read(const std::string &path);
    /// The same, from its text. False if a line is something else.
    [[nodiscard]] bool parse(std::string_view text);

    /// "name+0x10", of the nearest symbol at or below the address; empty if there is none.
    [[nodiscard]] std::string name(u64 va) const;

private:
    std::map<u64, std::string> symbols_; ///< by address: the last one that was read there
};

} // namespace tandem::machine
