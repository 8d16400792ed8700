#include "jit/disk_cache/disk_cache.h"

#include "jit/disk_cache/cache_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <set>
#include <tuple>
#include <utility>

namespace tandem::jit {
namespace {

/// More shards of one identity are merged: each costs its readers some system calls.
constexpr std::size_t kMaxShards = 8;

u64 now() {
    return static_cast<u64>(std::time(nullptr));
}

std::string new_shard_path(const std::string &folder) {
    std::random_device random;
    return fmt::format("{}/{:08x}{:08x}{}", folder, random(), random(), Shard::kEnding);
}

bool has_vanished(const std::string &path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) != 0;
}

} // namespace

DiskCache::DiskCache(DiskCacheOptions options)
    : options_(std::move(options)),
      folder_(folder_of(options_.directory, options_.identity.value)) {
    if (const auto is_private = check_is_private(options_.directory); !is_private.has_value()) {
        is_off_ = true;
        warn(is_private.error().message);
        return;
    }
    load();
}

DiskCache::~DiskCache() {
    save();
    touch_used();
    tidy_up();
}

void DiskCache::warn(const std::string &what) const {
    std::call_once(has_warned_, [&] {
        if (options_.warn)
            options_.warn(fmt::format("translation cache: {}; the run goes on without what it "
                                      "cannot use (--cache DIR names another; --no-cache: none)",
                                      what));
    });
}

void DiskCache::discard(const std::string &path, const std::string &why) const {
    if (has_vanished(path)) return; // another process has tidied up
    ::unlink(path.c_str());
    warn(why);
}

// --- what is known
// ------------------------------------------------------------------------------------

void DiskCache::load() {
    std::vector<ShardFile> files = shard_files(options_.directory);
    std::erase_if(files, [&](const ShardFile &file) { return file.folder != folder_; });
    // Later ones know better what is hot.
    std::ranges::sort(files, {}, &ShardFile::last_used);
    const std::lock_guard guard(mutex_);
    for (const ShardFile &file : files) {
        auto shard = Shard::open(file.path);
        if (!shard.has_value()) {
            discard(file.path, shard.error().message);
            continue;
        }
        if ((*shard)->identity() != options_.identity.value) {
            discard(file.path, file.path + ": is made for something else");
            continue;
        }
        for (const ShardEntry &entry : (*shard)->index().entries)
            learn({.entry = entry, .shard = *shard, .packed = nullptr});
    }
}

void DiskCache::learn(Known &&known) {
    const bool has_code = known.packed != nullptr || known.entry.packed_bytes != 0;
    if (const auto found = by_id_.find(known.entry.id); found != by_id_.end()) {
        known_[found->second].entry.is_hot = known.entry.is_hot;
        return;
    }
    if (!has_code) return;
    const std::size_t index = known_.size();
    by_id_.emplace(known.entry.id, index);
    for (const u64 key : known.entry.keys) by_key_.emplace(key, index);
    known_.push_back(std::move(known));
}

CodeRange DiskCache::hot_range(u64 key) const {
    const std::lock_guard guard(mutex_);
    CodeRange range;
    const auto [first, last] = by_key_.equal_range(key);
    for (auto at = first; at != last; ++at) {
        const ShardEntry &entry = known_[at->second].entry;
        if (!entry.is_hot || !known_[at->second].has_code()) continue;
        range.first_byte = std::min(range.first_byte, entry.first_byte);
        range.end_byte = std::max(range.end_byte, entry.end_byte);
    }
    return range;
}

Result<RegionRecord> DiskCache::read(const Known &known) {
    auto packed = known.packed;
    if (packed == nullptr)
        packed =
            std::make_shared<const std::vector<std::byte>>(TRY(known.shard->read(known.entry)));
    auto record = unpack(known.entry, *packed);
    if (!record.has_value())
        return failure(fmt::format("{}: a region makes no sense", known.shard->path()));
    return std::move(*record);
}

void DiskCache::salvage(const Shard &damaged, const std::string &why) {
    {
        const std::lock_guard guard(mutex_);
        for (Known &known : known_) {
            if (known.shard.get() != &damaged) continue;
            const auto shard = std::exchange(known.shard, nullptr);
            auto packed = shard->read(known.entry);
            if (packed.has_value() && unpack(known.entry, *packed).has_value())
                known.packed = std::make_shared<const std::vector<std::byte>>(std::move(*packed));
            else
                by_id_.erase(known.entry.id);
        }
        has_news_ = true;
    }
    discard(damaged.path(), why);
}

/// `is_wanted` says it of an entry of the index, which may lie, and of the outline found there.
template <typename IsWanted>
std::optional<RegionRecord> DiskCache::find_if(u64 key, const GuestCode &code, IsWanted is_wanted) {
    std::vector<Known> candidates;
    {
        const std::lock_guard guard(mutex_);
        const auto [first, last] = by_key_.equal_range(key);
        for (auto at = first; at != last; ++at) {
            const Known &known = known_[at->second];
            if (known.has_code() && is_wanted(known.entry, nullptr)) candidates.push_back(known);
        }
    }
    std::ranges::sort(candidates, [](const Known &a, const Known &b) {
        return a.entry.guest_instructions > b.entry.guest_instructions;
    });
    for (const Known &candidate : candidates) {
        auto record = read(candidate);
        if (!record.has_value()) {
            salvage(*candidate.shard, record.error().message);
            continue;
        }
        if (!is_wanted(candidate.entry, &record->outline) ||
            guest_code_of(record->outline, code) != record->guest_code)
            continue;
        const std::lock_guard guard(mutex_);
        if (const auto known = by_id_.find(candidate.entry.id); known != by_id_.end()) {
            known_[known->second].is_used = true;
            known_[known->second].entry.last_used = now();
        }
        return std::move(*record);
    }
    return std::nullopt;
}

std::optional<RegionRecord> DiskCache::find_hot(u64 key, const GuestCode &code) {
    return find_if(key, code, [](const ShardEntry &entry, const RegionOutline *outline) {
        return entry.is_hot && (outline == nullptr || outline->has_one_page());
    });
}

std::optional<RegionRecord> DiskCache::find(u64 key, const RegionOutline &wanted,
                                            const GuestCode &code) {
    return find_if(key, code, [&](const ShardEntry &entry, const RegionOutline *outline) {
        return entry.guest_instructions == wanted.guest_instructions &&
               (outline == nullptr || *outline == wanted);
    });
}

void DiskCache::add(const RegionRecord &record, bool is_hot) {
    PackedRegion packed = pack(record);
    packed.entry.is_hot = is_hot && record.outline.has_one_page();
    if (packed.entry.raw_bytes > Shard::kMaxRegionBytes) return;
    packed.entry.last_used = now();
    const std::lock_guard guard(mutex_);
    if (by_id_.contains(packed.entry.id)) return;
    learn({.entry = std::move(packed.entry), .shard = nullptr, .packed = std::move(packed.packed)});
    has_news_ = true;
}

void DiskCache::set_hot(const RegionId &id, bool is_hot) {
    const std::lock_guard guard(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return;
    Known &known = known_[found->second];
    if (std::exchange(known.entry.is_hot, is_hot) == is_hot) return;
    known.is_changed = true;
    has_news_ = true;
}

// --- saving
// -------------------------------------------------------------------------------------------

void DiskCache::save_if_due() {
    {
        const std::lock_guard guard(mutex_);
        const auto time = std::chrono::steady_clock::now();
        if (!has_news_ || is_off_) return;
        if (next_save_ == std::chrono::steady_clock::time_point{})
            next_save_ = time + save_interval_;
        if (time < next_save_) return;
        save_interval_ *= 2;
        next_save_ = time + save_interval_;
    }
    save();
}

void DiskCache::save() {
    const std::lock_guard saving(save_mutex_);
    std::vector<PackedRegion> regions;
    {
        const std::lock_guard guard(mutex_);
        if (!std::exchange(has_news_, false) || is_off_) return;
        for (const Known &known : known_)
            if (known.packed != nullptr || known.is_changed)
                regions.push_back({known.entry, known.packed});
    }
    auto made = make_directory(folder_);
    if (made.has_value()) made = check_is_private(options_.directory);
    if (made.has_value()) {
        if (own_path_.empty()) own_path_ = new_shard_path(folder_);
        const auto written =
            write_shard(own_path_, options_.identity.value, options_.identity.made_for, regions);
        if (written.has_value()) return;
        made = std::unexpected(written.error());
    }
    warn(made.error().message);
    const std::lock_guard guard(mutex_);
    is_off_ = true;
}

void DiskCache::touch_used() const {
    std::set<const Shard *> used;
    for (const Known &known : known_)
        if (known.is_used && known.shard != nullptr) used.insert(known.shard.get());
    for (const Shard *shard : used) shard->touch();
}

void DiskCache::tidy_up() {
    if (is_off_) return;
    const std::vector<ShardFile> files = shard_files(options_.directory);
    u64 bytes = 0, own_bytes = 0;
    std::size_t own_shards = 0;
    for (const ShardFile &file : files) {
        bytes += file.bytes;
        if (file.folder != folder_) continue;
        own_bytes += file.bytes;
        ++own_shards;
    }
    if (own_shards <= kMaxShards && bytes <= options_.max_bytes) return;
    const auto lock = DirectoryLock::try_lock(options_.directory);
    if (!lock.has_value()) return; // somebody else is at it
    if (own_shards > kMaxShards || own_bytes > options_.max_bytes)
        if (const auto merged = merge(); !merged.has_value()) warn(merged.error().message);
    remove_oldest(options_.directory, options_.max_bytes);
}

Result<> DiskCache::merge() {
    std::vector<ShardFile> files = shard_files(options_.directory);
    std::erase_if(files, [&](const ShardFile &file) { return file.folder != folder_; });
    std::ranges::sort(files, {}, &ShardFile::last_used);
    struct Source {
        ShardEntry entry;
        std::shared_ptr<const Shard> shard;
        std::size_t order = 0;
    };
    std::vector<Source> sources;
    std::unordered_map<RegionId, std::size_t, HashId> by_id;
    for (const ShardFile &file : files) {
        const auto shard = Shard::open(file.path);
        if (!shard.has_value() || (*shard)->identity() != options_.identity.value) continue;
        for (const ShardEntry &entry : (*shard)->index().entries) {
            const auto found = by_id.find(entry.id);
            if (found != by_id.end()) {
                ShardEntry &known = sources[found->second].entry;
                known.is_hot = entry.is_hot;
                known.last_used = std::max(known.last_used, entry.last_used);
            } else if (entry.packed_bytes != 0) {
                by_id.emplace(entry.id, sources.size());
                sources.push_back({entry, *shard, sources.size()});
            }
        }
    }
    for (const Known &known : known_)
        if (const auto found = by_id.find(known.entry.id); known.is_used && found != by_id.end())
            sources[found->second].entry.last_used = known.entry.last_used;
    // Of those used in the same second, the ones of newer shards.
    std::ranges::sort(sources, [](const Source &a, const Source &b) {
        return std::tie(a.entry.last_used, a.order) > std::tie(b.entry.last_used, b.order);
    });

    std::vector<PackedRegion> regions;
    u64 left = options_.max_bytes / 4 * 3; // room for some runs
    for (Source &source : sources) {
        if (source.entry.packed_bytes > left) break;
        auto packed = source.shard->read(source.entry);
        if (!packed.has_value()) continue;
        left -= packed->size();
        regions.push_back({std::move(source.entry),
                           std::make_shared<const std::vector<std::byte>>(std::move(*packed))});
    }
    TRY(write_shard(new_shard_path(folder_), options_.identity.value, options_.identity.made_for,
                    regions));
    for (const ShardFile &file : files) ::unlink(file.path.c_str());
    return {};
}

} // namespace tandem::jit
