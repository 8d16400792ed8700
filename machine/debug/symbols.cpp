#include "machine/debug/symbols.h"

#include "machine/debug/elf_symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <utility>

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

/// "FILE[@OFFSET]", the offset in hexadecimal. Other @ signs belong to the name.
std::pair<std::string, u64> split(const std::string &file) {
    const std::size_t at = file.rfind("@0x");
    if (at == std::string::npos) return {file, 0};
    u64 offset = 0;
    const char *end = file.data() + file.size();
    const auto [stop, error] = std::from_chars(file.data() + at + 3, end, offset, 16);
    if (error != std::errc{} || stop != end) return {file, 0};
    return {file.substr(0, at), offset};
}

} // namespace

Result<> Symbols::read(const std::string &file) {
    const auto [path, offset] = split(file);
    std::ifstream stream(path, std::ios::binary);
    std::stringstream content;
    if (!stream || !(content << stream.rdbuf()))
        return failure(fmt::format("--symbols {}: {}; name a program of the guest or what nm "
                                   "printed of it",
                                   path, std::strerror(errno)));
    const std::string_view text = content.view();
    if (const auto bytes = std::as_bytes(std::span(text)); is_elf(bytes)) {
        if (const auto added = add_elf_symbols(bytes, offset, *this); !added.has_value())
            return failure(fmt::format("--symbols {}: {}", path, added.error().message));
        return {};
    }
    if (!parse(text, offset))
        return failure(fmt::format("--symbols {}: has lines other than ADDRESS TYPE NAME; name an "
                                   "ELF file or what nm printed",
                                   path));
    return {};
}

bool Symbols::parse(std::string_view text, u64 offset) {
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
        add(va + offset, type[0], name);
    }
    return true;
}

void Symbols::add(u64 va, char type, std::string_view name) {
    // Mapping symbols ($x, $d) say what bytes are, not whose.
    if (kCodeTypes.find(type) != std::string_view::npos && !name.starts_with('$'))
        symbols_.insert_or_assign(va, std::string(name));
}

std::optional<Symbols::Found> Symbols::nearest(u64 va) const {
    const auto after = symbols_.upper_bound(va);
    if (after == symbols_.begin()) return std::nullopt;
    const auto &[address, name] = *std::prev(after);
    if (va - address >= kMaxSize) return std::nullopt;
    return Found{name, address};
}

std::string Symbols::name(u64 va) const {
    const auto found = nearest(va);
    return found.has_value() ? fmt::format("{}+{:#x}", found->name, va - found->address) : "";
}

} // namespace tandem::machine
