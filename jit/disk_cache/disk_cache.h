#pragma once
/// The translation cache: regions that T2 has compiled, kept for later runs and shared by those
/// that run now. A directory with one folder for each identity and in it shards, each written once.
///
/// Nothing in it is trusted to be whole or recent: shards and regions have checksums, and code is
/// used only where the guest's memory holds, byte for byte, what it was made from. Whatever goes
/// wrong, the run goes on without; the first trouble is told.
///
/// The directory must belong to the user and be writable by nobody else, as its code is run.
#include "jit/disk_cache/identity.h"

#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace tandem::jit {

struct DiskCacheOptions {
    std::string directory;
    u64 max_bytes = u64{256} << 20;
    CacheIdentity identity{};
    std::function<void(const std::string &)> warn; ///< called once at most, by any thread
};

class DiskCache {
public:
    /// Reads the indices. Never fails: what cannot be used is told and left out.
    explicit DiskCache(DiskCacheOptions options);
    /// Saves; tidies up if there is reason to.
    ~DiskCache();
    DiskCache(const DiskCache &) = delete;
    DiskCache &operator=(const DiskCache &) = delete;

    /// Where code lies that was hot together with the block of this key; empty if none was. Any
    /// thread; quick.
    [[nodiscard]] CodeRange hot_range(u64 key) const;
    /// The largest hot region with this key that was made from what memory holds. Any thread.
    [[nodiscard]] std::optional<RegionRecord> find_hot(u64 key, const GuestCode &code);
    /// The region of this outline with this key, if it was made from what memory holds. Any thread.
    [[nodiscard]] std::optional<RegionRecord> find(u64 key, const RegionOutline &outline,
                                                   const GuestCode &code);

    /// Keeps a region. Any thread. One with code on several pages is never hot: without it, nobody
    /// knows where the others are.
    void add(const RegionRecord &record, bool is_hot = true);
    /// Whether to use it without being asked; any thread.
    void set_hot(const RegionId &id, bool is_hot);

    /// Writes what is new. Each time takes longer to come, so that a long run rewrites little.
    void save_if_due();
    void save();

private:
    /// A region, in a shard or new.
    struct Known {
        ShardEntry entry;
        std::shared_ptr<const Shard> shard;                   ///< null if it is new
        std::shared_ptr<const std::vector<std::byte>> packed; ///< null unless it is new
        bool is_changed = false;                              ///< since it was saved
        bool is_used = false;                                 ///< in this run
        /// Not any more if it was damaged.
        [[nodiscard]] bool has_code() const { return shard != nullptr || packed != nullptr; }
    };

    void load();
    template <typename IsWanted>
    [[nodiscard]] std::optional<RegionRecord> find_if(u64 key, const GuestCode &code,
                                                      IsWanted is_wanted);
    /// Under the mutex.
    void learn(Known &&known);
    void warn(const std::string &what) const;
    /// A shard that cannot be used: away with it.
    void discard(const std::string &path, const std::string &why) const;
    [[nodiscard]] static Result<RegionRecord> read(const Known &known);
    /// Away with a shard of which something cannot be read; what can is kept in this run's own.
    void salvage(const Shard &damaged, const std::string &why);
    void touch_used() const;
    /// Many shards become one; too many bytes become fewer, longest unused first.
    void tidy_up();
    [[nodiscard]] Result<> merge();

    const DiskCacheOptions options_;
    const std::string folder_; ///< of this identity
    mutable std::once_flag has_warned_;

    mutable std::mutex mutex_; ///< guards what follows
    std::deque<Known> known_;
    std::unordered_multimap<u64, std::size_t> by_key_;
    struct HashId {
        std::size_t operator()(const RegionId &id) const { return static_cast<std::size_t>(id[0]); }
    };
    std::unordered_map<RegionId, std::size_t, HashId> by_id_;
    bool has_news_ = false;
    bool is_off_ = false; ///< no use to try and write

    std::mutex save_mutex_; ///< one at a time; guards what follows
    std::string own_path_;  ///< of the shard of this run
    std::chrono::steady_clock::time_point next_save_{};
    std::chrono::seconds save_interval_{2};
};

} // namespace tandem::jit
