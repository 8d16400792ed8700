#pragma once
/// Writes a snapshot file. It appears under its name when it is complete and on the medium; until
/// then an older file of that name is untouched.
#include "machine/snapshot/paged_region.h"
#include "machine/snapshot/snapshot_index.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::machine::snapshot {

class SnapshotFile;

/// XXH3 of a page's bytes, or one of these.
using PageHash = std::array<u64, 2>;
inline constexpr PageHash kHashOfZero{0, 0};
inline constexpr PageHash kHashOfAbsent{~u64{0}, ~u64{0}};
inline constexpr PageHash kHashUnknown{0, ~u64{0}}; ///< of a snapshot that was not written here

/// What a snapshot has, so that the next one needs to keep only what is different.
struct Base {
    std::string path;
    SnapshotId id{};
    std::map<std::string, std::vector<PageHash>> regions;
};
/// Of a machine that was restored from it.
[[nodiscard]] Base base_of(const SnapshotFile &);

class Writer {
public:
    [[nodiscard]] static Result<Writer> create(const std::string &path);
    Writer(Writer &&) noexcept;
    Writer &operator=(Writer &&) = delete;
    ~Writer();

    /// Leaves out pages of zeros and pages that are there already; compresses the rest.
    [[nodiscard]] Result<> add_region(const PagedRegion &);
    void add_blob(std::string_view name, std::span<const std::byte>);
    /// Before regions are added: pages that are as in this one are left to it. A guest can make
    /// pages whose hashes collide; it is its own memory that it spoils.
    void set_base(Base);

    struct Finished {
        Base base; ///< for the next one
        u64 bytes = 0;
    };
    [[nodiscard]] Result<Finished> finish(std::string_view manifest);

private:
    Writer(std::string path, std::string temporary, ScopedFd file)
        : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}
    [[nodiscard]] Result<> append(std::span<const std::byte>);
    [[nodiscard]] std::unexpected<Error> cannot_write(int error) const;

    std::string path_, temporary_; ///< temporary_ is empty once it has been renamed
    ScopedFd file_;
    u64 end_ = 0;
    Index index_;
    std::optional<Base> base_;
    Base seen_; ///< in this one
};

} // namespace tandem::machine::snapshot
