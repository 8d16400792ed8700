#include "app/device_profile.h"

#include "machine/boot/file_bytes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string_view>

namespace tandem::app {
namespace {

namespace fs = std::filesystem;

constexpr const char *kEnding = ".conf";
constexpr u64 kMaxBytes = 64u << 10;

/// Where profiles are, those that go first first.
std::vector<fs::path> folders() {
    std::vector<fs::path> folders;
    if (const char *config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config == '/')
        folders.emplace_back(fs::path(config) / "tandem/devices");
    else if (const char *home = std::getenv("HOME"); home != nullptr)
        folders.emplace_back(fs::path(home) / ".config/tandem/devices");
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
    folders.push_back(program / "devices"); // of a build that is not installed
    folders.push_back(program / TANDEM_DEVICES_FOLDER);
    return folders;
}

Result<fs::path> find_profile(const std::string &name) {
    if (name.find('/') != std::string::npos) return name;
    std::set<std::string> names;
    std::error_code error;
    for (const fs::path &folder : folders()) {
        if (fs::path path = folder / (name + kEnding); fs::exists(path, error)) return path;
        for (const auto &entry : fs::directory_iterator(folder, error))
            if (entry.path().extension() == kEnding) names.insert(entry.path().stem());
    }
    return failure(fmt::format("--device {}: no such profile; use {}, or name a file: ./{}{}", name,
                               fmt::join(names, ", "), name, kEnding));
}

std::string_view trimmed(std::string_view text) {
    static constexpr std::string_view kBlank = " \t\r";
    const std::size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

} // namespace

Result<std::vector<ProfileLine>> read_device_profile(const std::string &name) {
    const fs::path path = TRY(find_profile(name));
    const auto file = machine::FileBytes::read(path.string(), kMaxBytes);
    if (!file.has_value())
        return failure(fmt::format("--device {}: {}", name, file.error().message));
    std::string_view rest{reinterpret_cast<const char *>(file->span().data()), file->size()};
    std::vector<ProfileLine> lines;
    for (unsigned number = 1; !rest.empty(); ++number) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = trimmed(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.empty() || line.front() == '#') continue;
        const std::size_t space = std::min(line.find_first_of(" \t"), line.size());
        lines.push_back({.option = fmt::format("--{}", line.substr(0, space)),
                         .value = std::string{trimmed(line.substr(space))},
                         .place = fmt::format("{}:{}", path.string(), number)});
    }
    return lines;
}

} // namespace tandem::app
