#pragma once
/// Writes a snapshot file. It appears under its name when it is complete and on the medium; until
/// then an older file of that name is untouched.
#include "machine/snapshot/paged_region.h"
#include "machine/snapshot/snapshot_index.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <string>
#include <string_view>

namespace tandem::machine::snapshot {

class Writer {
public:
    [[nodiscard]] static Result<Writer> create(const std::string &path);
    Writer(Writer &&) noexcept;
    Writer &operator=(Writer &&) = delete;
    ~Writer();

    /// Leaves out pages of zeros and pages that are there already; compresses the rest.
    [[nodiscard]] Result<> add_region(const PagedRegion &);
    void add_blob(std::string_view name, std::span<const std::byte>);
    /// Pages that are kPageInParent are that snapshot's. Its path is relative to this one's folder.
    void set_parent(const std::string &path, const SnapshotId &);

    struct Finished {
        SnapshotId id{};
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
};

} // namespace tandem::machine::snapshot
