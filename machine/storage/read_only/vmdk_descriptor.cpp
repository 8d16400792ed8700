#include "machine/storage/read_only/vmdk_descriptor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace tandem::machine {
namespace {

struct KindRow {
    std::string_view name;
    VmdkExtentLine::Kind kind;
};
constexpr KindRow kKinds[] = {
    {"FLAT", VmdkExtentLine::Kind::Flat},
    {"VMFS", VmdkExtentLine::Kind::Flat},
    {"SPARSE", VmdkExtentLine::Kind::Sparse},
    {"ZERO", VmdkExtentLine::Kind::Zero},
};
constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kNoParent = "ffffffff";
constexpr u64 kMaxSectors = u64{1} << 54;

/// Takes the next word, or what is between quotes; empty at the end.
std::string_view take_word(std::string_view &line) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.starts_with('"')) {
        const std::size_t end = std::min(line.find('"', 1), line.size());
        const std::string_view word = line.substr(1, end - 1);
        line.remove_prefix(std::min(end + 1, line.size()));
        return word;
    }
    const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
    line.remove_prefix(word.size());
    return word;
}

std::optional<u64> take_number(std::string_view &line) {
    const std::string_view word = take_word(line);
    u64 value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value > kMaxSectors)
        return std::nullopt;
    return value;
}

/// Of a file in the same folder, that can be shown on a terminal.
bool is_plain_name(std::string_view name) {
    const auto is_strange = [](char each) {
        return static_cast<u8>(each) < 0x20 || each == 0x7f || each == '/';
    };
    return !name.empty() && name != "." && name != ".." && std::ranges::none_of(name, is_strange);
}

bool is_access(std::string_view word) {
    return word == "RW" || word == "RDONLY" || word == "NOACCESS";
}

} // namespace

Result<std::vector<VmdkExtentLine>> parse_vmdk_descriptor(std::string_view text,
                                                          const std::string &name) {
    std::vector<VmdkExtentLine> extents;
    text = text.substr(0, text.find('\0'));
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (constexpr std::string_view kParent = "parentCID="; line.starts_with(kParent)) {
            line.remove_prefix(kParent.size());
            if (take_word(line) != kNoParent)
                return failure(fmt::format("{}: is a vmdk image on top of another; convert it: "
                                           "qemu-img convert -O qcow2 IN OUT",
                                           name));
            continue;
        }
        if (!is_access(take_word(line))) continue;
        const std::optional<u64> sectors = take_number(line);
        const std::string_view kind_name = take_word(line);
        const auto kind = std::ranges::find(kKinds, kind_name, &KindRow::name);
        if (!sectors.has_value() || kind == std::end(kKinds))
            return failure(fmt::format("{}: has an extent of an unknown kind; convert it: qemu-img "
                                       "convert -O qcow2 IN OUT",
                                       name));
        VmdkExtentLine extent{.kind = kind->kind, .sectors = *sectors, .file = {}};
        if (extent.kind != VmdkExtentLine::Kind::Zero) {
            extent.file = take_word(line);
            // A downloaded image must not have the guest read other files of the host.
            if (!is_plain_name(extent.file))
                return failure(
                    fmt::format("{}: has an extent elsewhere than in its folder; put its "
                                "files there, or convert it",
                                name));
        }
        if (extent.kind == VmdkExtentLine::Kind::Flat)
            extent.first_sector = take_number(line).value_or(0);
        extents.push_back(std::move(extent));
    }
    if (extents.empty())
        return failure(fmt::format("{}: a vmdk descriptor without extents; copy it again", name));
    return extents;
}

} // namespace tandem::machine
