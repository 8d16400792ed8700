#include "machine/snapshot/catalog.h"

#include "machine/snapshot/snapshot_file.h"
#include "support/local_time.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <tuple>

namespace tandem::machine::snapshot {
namespace {

namespace fs = std::filesystem;

bool is_tag(const std::string &tag) {
    static constexpr std::size_t kMaxLength = 200; // of a file's name, 255
    return !tag.empty() && tag.size() <= kMaxLength && tag.front() != '.' &&
           tag.find('/') == std::string::npos &&
           std::ranges::all_of(tag, [](char c) { return c > ' ' && c != '\x7f'; });
}

/// How long the guest had run; the first thing a board saves (ClockState of machine/board).
u64 guest_time_of(const SnapshotFile &file) {
    u64 now_ns = 0;
    const auto bytes = file.blob("clock");
    if (!bytes.has_value()) return 0;
    devices::StateReader reader(*bytes);
    if (!reader.begin_section("clock", 1).has_value()) return 0;
    reader(now_ns);
    return now_ns;
}

} // namespace

std::string tag_of(const std::string &path) {
    return fs::path(path).stem().string();
}

Result<std::string> Catalog::path_of(const std::string &tag) const {
    if (!is_tag(tag))
        return failure(fmt::format("{}: not a snapshot's tag; use one word without / that does not "
                                   "begin with a full stop",
                                   tag));
    return (fs::path(folder_) / (tag + kFileEnding)).string();
}

Result<std::string> Catalog::find(const std::string &tag) const {
    std::string path = TRY(path_of(tag));
    std::error_code error;
    if (!fs::exists(path, error))
        return failure(fmt::format("{}: no such snapshot; list those there are", tag));
    return path;
}

std::string Catalog::unused_tag(const std::string &prefix, std::time_t now) const {
    const std::string first = fmt::format("{}{:%Y%m%d-%H%M%S}", prefix, local_time(now));
    std::string tag = first;
    for (unsigned number = 2; find(tag).has_value(); ++number)
        tag = fmt::format("{}-{}", first, number);
    return tag;
}

std::vector<std::string> Catalog::files() const {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(folder_, error))
        if (entry.path().extension() == kFileEnding) paths.push_back(entry.path().string());
    return paths;
}

std::vector<CatalogEntry> Catalog::entries() const {
    std::vector<CatalogEntry> entries;
    for (const std::string &path : files()) {
        CatalogEntry entry{.tag = tag_of(path), .path = path};
        if (!is_tag(entry.tag)) continue;
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) continue;
        entry.bytes = static_cast<u64>(status.st_size);
        entry.seconds = static_cast<u64>(status.st_mtim.tv_sec);
        if (const auto file = SnapshotFile::open(path); file.has_value()) {
            entry.guest_ns = guest_time_of(**file);
            if ((*file)->parent() != nullptr) entry.based_on = tag_of((*file)->parent()->path());
        } else {
            entry.damage = file.error().message;
        }
        entries.push_back(std::move(entry));
    }
    std::ranges::sort(entries, {}, [](const CatalogEntry &entry) {
        return std::tie(entry.seconds, entry.guest_ns, entry.tag);
    });
    return entries;
}

Result<> Catalog::keep_for_others(const std::string &path) const {
    const auto replaced = SnapshotFile::open(path);
    if (!replaced.has_value()) return {}; // nothing there, or nothing that others can use
    for (const std::string &other : files()) {
        if (other == path) continue;
        const auto file = SnapshotFile::open(other);
        if (!file.has_value() || (*file)->parent() == nullptr ||
            (*file)->parent()->id() != (*replaced)->id())
            continue;
        const std::string kept = SnapshotFile::kept_path(folder_, (*replaced)->id());
        if (::link(path.c_str(), kept.c_str()) == 0 || errno == EEXIST) return {};
        return failure(fmt::format("{}: {} needs it, and it cannot be kept: {}; remove that first",
                                   path, tag_of(other), std::strerror(errno)));
    }
    return {};
}

Result<> Catalog::remove(const std::string &tag) const {
    const std::string path = TRY(find(tag));
    TRY(keep_for_others(path));
    if (::unlink(path.c_str()) != 0)
        return failure(fmt::format("{}: cannot be removed: {}", path, std::strerror(errno)));
    collect_garbage();
    return {};
}

void Catalog::collect_garbage() const {
    // Each one that goes may have been the last to need another.
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        std::vector<SnapshotId> needed;
        std::vector<std::pair<std::string, SnapshotId>> kept;
        for (const std::string &path : files()) {
            const auto file = SnapshotFile::open(path);
            if (!file.has_value()) continue;
            if ((*file)->parent() != nullptr) needed.push_back((*file)->parent()->id());
            if (path == SnapshotFile::kept_path(folder_, (*file)->id()))
                kept.emplace_back(path, (*file)->id());
        }
        for (const auto &[path, id] : kept)
            if (std::ranges::find(needed, id) == needed.end())
                is_changed |= ::unlink(path.c_str()) == 0;
    }
}

} // namespace tandem::machine::snapshot
