#include "machine/accel/jit/translation_cache.h"

#include "jit/disk_cache/cache_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace tandem::machine {

std::vector<CachePart> translation_cache_parts(const std::string &directory) {
    constexpr i64 kNanoseconds = 1'000'000'000;
    struct Part {
        CachePart shown;
        std::map<jit::RegionId, bool> is_hot;
    };
    std::vector<jit::ShardFile> files = jit::shard_files(directory);
    std::ranges::sort(files, {}, &jit::ShardFile::last_used); // later ones know better
    std::map<std::string, Part> by_folder;
    for (const jit::ShardFile &file : files) {
        Part &part = by_folder[file.folder];
        part.shown.bytes += file.bytes;
        part.shown.last_used = std::max(part.shown.last_used, file.last_used / kNanoseconds);
        const auto shard = jit::Shard::open(file.path);
        if (!shard.has_value()) {
            part.shown.damage = shard.error().message;
            continue;
        }
        part.shown.made_for = (*shard)->index().made_for;
        for (const jit::ShardEntry &entry : (*shard)->index().entries)
            part.is_hot[entry.id] = entry.is_hot;
    }
    std::vector<CachePart> parts;
    for (auto &[folder, part] : by_folder) {
        part.shown.regions = part.is_hot.size();
        for (const auto &[id, is_hot] : part.is_hot) part.shown.hot += is_hot;
        parts.push_back(std::move(part.shown));
    }
    std::ranges::sort(
        parts, [](const CachePart &a, const CachePart &b) { return a.last_used > b.last_used; });
    return parts;
}

Result<u64> verify_translation_cache(const std::string &directory) {
    TRY(jit::check_is_private(directory));
    std::set<jit::RegionId> regions;
    const auto damaged = [](const std::string &what) {
        return failure(fmt::format("{}; tandem cache clear removes it", what));
    };
    for (const jit::ShardFile &file : jit::shard_files(directory)) {
        const auto shard = jit::Shard::open(file.path);
        if (!shard.has_value()) return damaged(shard.error().message);
        if (jit::folder_of(directory, (*shard)->identity()) != file.folder)
            return damaged(fmt::format("{}: is made for something else", file.path));
        for (const jit::ShardEntry &entry : (*shard)->index().entries) {
            regions.insert(entry.id);
            if (entry.packed_bytes == 0) continue;
            const auto packed = (*shard)->read(entry);
            if (!packed.has_value()) return damaged(packed.error().message);
            if (!jit::unpack(entry, *packed).has_value())
                return damaged(fmt::format("{}: a region makes no sense", file.path));
        }
    }
    return regions.size();
}

Result<u64> clear_translation_cache(const std::string &directory) {
    return TRY(jit::clear_cache(directory)).bytes;
}

} // namespace tandem::machine
