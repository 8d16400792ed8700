#include "machine/debug/symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tandem::machine {
namespace {

/// Farther from a symbol than this is no code of its.
constexpr u64 kMaxSize = u64{1} << 20;

/// nm's letters for the text section and for weak symbols, global and local.
constexpr std::string_view kCodeTypes = "tTwW";

/// The next word of a line.
std::string_view take_word(std::string_view &line) {
    const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return word;
}

} // namespace

Result<> Symbols::read(const std::string &path) {
    std::ifstream file(path);
    std::stringstream text;
    if (!file || !(text << file.rdbuf()))
        return failure(
            fmt::format("--symbols {}: {}; name a file that nm made", path, std::strerror(errno)));
    if (!parse(text.view()))
        return failure(fmt::format(
            "--symbols {}: has lines other than ADDRESS TYPE NAME; name what nm printed", path));
    return {};
}

bool Symbols::parse(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string_view address = take_word(line);
        if (address.empty()) continue;
        // nm gives undefined symbols no address.
        if (address.size() == 1) continue;
        u64 va = 0;
        const auto [stop, error] =
            std::from_chars(address.data(), address.data() + address.size(), va, 16);
        const std::string_view type = take_word(line);
        const std::string_view name = take_word(line);
        if (error != std::errc{} || stop != address.data() + address.size() || type.size() != 1 ||
            name.empty())
            return false;
        // Mapping symbols ($x, $d) say what bytes are, not whose.
        if (kCodeTypes.find(type[0]) != std::string_view::npos && name[0] != '$')
            symbols_.insert_or_assign(va, std::string(name));
    }
    return true;
}

std::string Symbols::name(u64 va) const {
    const auto after = symbols_.upper_bound(va);
    if (after == symbols_.begin()) return {};
    const auto &[address, name] = *std::prev(after);
    if (va - address >= kMaxSize) return {};
    return fmt::format("{}+{:#x}", name, va - address);
}

} // namespace tandem::machine
