// The tables are made by the kernel's scripts/kallsyms.c; kernel/kallsyms.c reads them. In memory
// they follow each other, each aligned to 8 bytes:
//
//   up to 6.3:     offsets, relative base, count, names, markers, token table, token index
//   from 6.4 on:   count, names, markers, token table, token index, offsets, relative base
//
// In 6.2, 6.3 and late releases of 6.1 the order by name is before the token table (later it comes
// last).
// A name is a length and that many bytes, each of which stands for a token; its first character is
// the type. A marker is where each 256th name begins, a 32-bit offset.
#include "machine/profile/kallsyms.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace tandem::machine::profile {
namespace {

constexpr u32 kTokens = 256;
constexpr u32 kNamesPerMarker = 256;
constexpr u32 kMaxSymbols = 4'000'000;
constexpr std::size_t kMaxTokenTable = 8192;
constexpr std::size_t kMaxName = 512; ///< KSYM_NAME_LEN

/// Reads within bounds, or fails for good.
class Bytes {
public:
    explicit Bytes(std::span<const std::byte> all) : all_(all) {}

    template <typename T>
    [[nodiscard]] std::optional<T> get(std::size_t at) const {
        if (at > all_.size() || all_.size() - at < sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, all_.data() + at, sizeof value);
        return value;
    }
    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char *>(all_.data()), all_.size()};
    }

private:
    std::span<const std::byte> all_;
};

struct Tokens {
    std::size_t table = 0, index = 0; ///< where they are
    std::array<std::string_view, kTokens> text;
};

/// The table around the tokens '0' to '9', which stand for themselves in every kernel.
std::optional<Tokens> tokens_around(const Bytes &bytes, std::size_t digits) {
    const std::string_view all = bytes.text();
    std::size_t begin = digits;
    for (char c = '0'; c > 0; --c) {
        if (begin == 0 || digits - begin > kMaxTokenTable) return std::nullopt;
        // The end of the token before, and its beginning: behind another's end.
        const std::size_t end = begin - 1;
        const std::size_t before = end == 0 ? std::string_view::npos : all.rfind('\0', end - 1);
        if (all[end] != '\0' || before == std::string_view::npos) return std::nullopt;
        begin = before + 1;
    }
    Tokens tokens;
    tokens.table = begin;
    std::array<u16, kTokens> starts{};
    std::size_t at = begin;
    for (u32 i = 0; i < kTokens; ++i) {
        const std::size_t end = all.find('\0', at);
        if (end == std::string_view::npos || end - begin > kMaxTokenTable) return std::nullopt;
        starts[i] = static_cast<u16>(at - begin);
        tokens.text[i] = all.substr(at, end - at);
        at = end + 1;
    }
    tokens.index = align_up(at, 8);
    for (u32 i = 0; i < kTokens; ++i)
        if (bytes.get<u16>(tokens.index + 2 * i) != starts[i]) return std::nullopt;
    return tokens;
}

std::optional<Tokens> find_tokens(const Bytes &bytes) {
    using namespace std::string_view_literals;
    static constexpr std::string_view kDigits =
        "0\0001\0002\0003\0004\0005\0006\0007\0008\0009\0"sv;
    const std::string_view all = bytes.text();
    for (std::size_t at = 0; at < all.size();) {
        const void *found =
            ::memmem(all.data() + at, all.size() - at, kDigits.data(), kDigits.size());
        if (found == nullptr) break;
        at = static_cast<std::size_t>(static_cast<const char *>(found) - all.data());
        if (auto tokens = tokens_around(bytes, at); tokens.has_value()) return tokens;
        ++at;
    }
    return std::nullopt;
}

/// The length of a name, moving `at` behind it: above 127 it takes two bytes.
std::optional<std::size_t> take_length(const Bytes &bytes, std::size_t &at) {
    const auto low = bytes.get<u8>(at++);
    if (!low.has_value()) return std::nullopt;
    if (*low < 0x80) return *low;
    const auto high = bytes.get<u8>(at++);
    if (!high.has_value()) return std::nullopt;
    return (*low & 0x7fu) | std::size_t{*high} << 7;
}

struct Names {
    u32 count = 0;
    std::size_t count_at = 0, first = 0;
};

/// The names before the markers: their count is right if so many end where the markers begin.
std::optional<Names> names_before(const Bytes &bytes, std::size_t markers, u32 marker_count) {
    if (marker_count == 0 || markers % 8 != 0 || bytes.get<u32>(markers) != 0) return std::nullopt;
    u32 last = 0;
    for (u32 i = 1; i < marker_count; ++i) {
        const auto marker = bytes.get<u32>(markers + std::size_t{4} * i);
        if (!marker.has_value() || *marker <= last) return std::nullopt;
        last = *marker;
    }
    const std::size_t most = std::size_t{kNamesPerMarker} * kMaxName;
    if (last > markers) return std::nullopt;
    for (std::size_t first = (markers - last) & ~std::size_t{7};
         first >= 8 && markers - last - first <= most; first -= 8) {
        const u32 count = bytes.get<u32>(first - 8).value_or(0);
        if (count > marker_count * kNamesPerMarker ||
            count <= (marker_count - 1) * kNamesPerMarker || bytes.get<u32>(first - 4) != 0)
            continue;
        std::size_t at = first + last;
        bool sound = true;
        for (u32 i = (marker_count - 1) * kNamesPerMarker; i < count && sound; ++i) {
            const auto length = take_length(bytes, at);
            sound = length.has_value() && *length != 0 && *length <= kMaxName && at < markers;
            if (sound) at += *length;
        }
        if (sound && align_up(at, 8) == markers) return Names{count, first - 8, first};
    }
    return std::nullopt;
}

/// The names, if the markers end where the token table begins.
std::optional<Names> names_by_markers(const Bytes &bytes, std::size_t table) {
    u32 next = 0; // the marker above; 0: only what aligns the table has been seen
    std::size_t end = table;
    for (std::size_t at = table; at >= 4; next = bytes.get<u32>(at).value_or(0)) {
        at -= 4;
        const u32 marker = bytes.get<u32>(at).value_or(0);
        if (next == 0) end = at + 4;
        if (next != 0 && marker >= next) return std::nullopt;
        if (next != 0 && marker == 0)
            return names_before(bytes, at, static_cast<u32>((end - at) / 4));
    }
    return std::nullopt;
}

/// The names, if their order by name is between the markers and the token table: three bytes for
/// each.
std::optional<Names> names_by_order(const Bytes &bytes, std::size_t table) {
    for (u32 count = kNamesPerMarker + 1; count <= kMaxSymbols; ++count) {
        const u32 marker_count = (count + kNamesPerMarker - 1) / kNamesPerMarker;
        const u64 size = align_up(u64{3} * count, 8) + align_up(u64{4} * marker_count, 8);
        if (size > table) break;
        const std::size_t markers = table - size;
        if (bytes.get<u32>(markers) != 0 || bytes.get<u32>(markers + 4).value_or(0) == 0) continue;
        const auto names = names_before(bytes, markers, marker_count);
        if (names.has_value() && names->count == count) return names;
    }
    return std::nullopt;
}

/// Where the offsets from the base are, and the base.
struct Addresses {
    std::size_t offsets = 0, base = 0;
};

std::optional<std::vector<KernelSymbol>> read_symbols(const Bytes &bytes, const Tokens &tokens,
                                                      const Names &names, Addresses where,
                                                      u64 table_va) {
    const auto base = bytes.get<u64>(where.base);
    if (!base.has_value()) return std::nullopt;
    std::vector<KernelSymbol> symbols;
    symbols.reserve(names.count);
    std::size_t at = names.first;
    u32 before = 0;
    std::optional<u64> begin, end;
    for (u32 i = 0; i < names.count; ++i) {
        const auto offset = bytes.get<u32>(where.offsets + std::size_t{4} * i);
        const auto length = take_length(bytes, at);
        if (!offset.has_value() || *offset < before || !length.has_value()) return std::nullopt;
        before = *offset;
        std::string name;
        for (std::size_t j = 0; j < *length; ++j) {
            const auto token = bytes.get<u8>(at++);
            if (!token.has_value() || name.size() > kMaxName) return std::nullopt;
            name += tokens.text[*token];
        }
        if (name.size() < 2) return std::nullopt;
        KernelSymbol &symbol = symbols.emplace_back(*base + *offset, name[0], name.substr(1));
        if (symbol.name == "_text" || symbol.name == "_stext")
            begin = begin.value_or(symbol.address);
        if (symbol.name == "_end") end = symbol.address;
    }
    // What the kernel believes to hold this table does.
    if (!begin.has_value() || table_va < *begin || (end.has_value() && table_va >= *end))
        return std::nullopt;
    return symbols;
}

} // namespace

std::optional<std::size_t> find_token_table(std::span<const std::byte> memory) {
    const auto tokens = find_tokens(Bytes(memory));
    return tokens.has_value() ? std::optional(tokens->table) : std::nullopt;
}

std::optional<std::vector<KernelSymbol>> find_kallsyms(std::span<const std::byte> memory, u64 va) {
    const Bytes bytes(memory);
    const auto tokens = find_tokens(bytes);
    if (!tokens.has_value()) return std::nullopt;
    auto names = names_by_markers(bytes, tokens->table);
    if (!names.has_value()) names = names_by_order(bytes, tokens->table);
    if (!names.has_value()) return std::nullopt;
    const std::size_t offsets_size = align_up(std::size_t{4} * names->count, 8);
    const std::size_t behind = tokens->index + 2 * kTokens;
    const u64 table_va = va + tokens->table;
    auto symbols = read_symbols(bytes, *tokens, *names, {behind, behind + offsets_size}, table_va);
    if (!symbols.has_value() && names->count_at >= offsets_size + 8)
        symbols = read_symbols(bytes, *tokens, *names,
                               {names->count_at - 8 - offsets_size, names->count_at - 8}, table_va);
    return symbols;
}

} // namespace tandem::machine::profile
