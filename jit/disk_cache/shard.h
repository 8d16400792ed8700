#pragma once
/// A file of the translation cache. It is written whole under another name, moved into place, and
/// never changed: readers need no lock, and whoever is killed leaves nothing half done.
///
///     header, regions (each compressed by itself), index (compressed)
///
/// The header has the checksum of the index, the index those of the regions.
#include "jit/disk_cache/region_record.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <array>
#include <memory>
#include <string>

namespace tandem::jit {

using Checksum = std::array<u64, 2>; ///< XXH3
[[nodiscard]] Checksum checksum_of(std::span<const std::byte> bytes);

/// What the index says of a region.
struct ShardEntry {
    RegionId id{};
    std::vector<u64> keys; ///< entry_key() of each of its entries
    u32 guest_instructions = 0;
    u32 first_byte = 0, end_byte = 0; ///< page offsets, on the region's page
    bool is_hot = true;               ///< false: it was compiled, and lost to T1
    u64 last_used = 0;                ///< seconds since 1970

    // Of the compressed region; none if this is but a change of is_hot.
    u64 offset = 0;
    u32 packed_bytes = 0, raw_bytes = 0;
    Checksum checksum{};
};

struct ShardIndex {
    std::string made_for; ///< build, compiler, host and guest CPU, for people
    std::vector<ShardEntry> entries;
};

class Shard {
public:
    static constexpr const char *kEnding = ".shard";
    /// Of a region, raw.
    static constexpr u32 kMaxRegionBytes = 1u << 22;

    /// Checks header and index. Errors name the file and what is wrong with it.
    [[nodiscard]] static Result<std::shared_ptr<const Shard>> open(const std::string &path);

    [[nodiscard]] const std::string &path() const { return path_; }
    [[nodiscard]] const Checksum &identity() const { return identity_; }
    [[nodiscard]] const ShardIndex &index() const { return index_; }
    [[nodiscard]] u64 bytes() const { return bytes_; }
    /// A region as it is in the file, checked.
    [[nodiscard]] Result<std::vector<std::byte>> read(const ShardEntry &entry) const;
    /// Now is when it was used last.
    void touch() const;

private:
    explicit Shard(std::string path) : path_(std::move(path)) {}
    [[nodiscard]] Result<> load();
    [[nodiscard]] Result<> read_at(u64 offset, std::span<std::byte> target) const;
    [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const;

    std::string path_;
    ScopedFd file_;
    Checksum identity_{};
    ShardIndex index_;
    u64 bytes_ = 0;
};

/// Any bytes: an index, or nothing.
[[nodiscard]] std::optional<ShardIndex> decode_index(std::span<const std::byte> bytes);

/// A region for a new shard.
struct PackedRegion {
    ShardEntry entry;
    std::shared_ptr<const std::vector<std::byte>> packed; ///< null: but a change of is_hot
};
[[nodiscard]] PackedRegion pack(const RegionRecord &record);
/// What pack() packed; nothing if it is none of that.
[[nodiscard]] std::optional<RegionRecord> unpack(const ShardEntry &entry,
                                                 std::span<const std::byte> packed);

/// Replaces what is at `path`, or leaves it alone. Returns the size of the file.
[[nodiscard]] Result<u64> write_shard(const std::string &path, const Checksum &identity,
                                      const std::string &made_for,
                                      std::span<const PackedRegion> regions);

} // namespace tandem::jit
