#pragma once
/// Reads a snapshot file. Nothing in it is trusted: opening checks the index and every number in
/// it, read_frames() every checksum.
#include "machine/snapshot/snapshot_index.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine::snapshot {

class SnapshotFile {
public:
    /// Opens those it is based on too.
    [[nodiscard]] static Result<std::shared_ptr<SnapshotFile>> open(const std::string &path);

    [[nodiscard]] const std::string &path() const { return path_; }
    [[nodiscard]] const SnapshotId &id() const { return header_.id; }
    [[nodiscard]] u64 bytes() const { return header_.file_bytes; }
    [[nodiscard]] std::string_view manifest() const {
        return {index_.manifest.data(), index_.manifest.size()};
    }
    [[nodiscard]] const Index &index() const { return index_; }
    /// How many files it is based on.
    [[nodiscard]] unsigned depth() const { return parent_ == nullptr ? 0 : parent_->depth() + 1; }
    /// What kPageInParent refers to; null if it stands alone.
    [[nodiscard]] const SnapshotFile *parent() const { return parent_.get(); }
    [[nodiscard]] const Region *find_region(std::string_view name) const;
    /// The file that has it if others are based on it but its name has gone to another, or to none:
    /// see catalog.h.
    [[nodiscard]] static std::string kept_path(const std::string &folder, const SnapshotId &id);
    /// The state saved under a name; the error does not name the file.
    [[nodiscard]] Result<std::span<const std::byte>> blob(std::string_view name) const;

    /// Reads the compressed pages into memory, also those of the files below, and checks them.
    /// From then on the files may change.
    [[nodiscard]] Result<> read_frames();
    void drop_frames();
    /// Unpacks a frame of kFrameSize bytes at most; false if it is damaged. Any thread.
    [[nodiscard]] bool unpack(const Region &, u64 frame, std::span<std::byte> target) const;

    /// Where a page of a region comes from.
    struct PageOrigin {
        const SnapshotFile *file = nullptr; ///< null: not stored
        const Region *region = nullptr;     ///< of that file
        u32 code = kPageAbsent;             ///< kPageAbsent, kPageZero, or its slot in the region
    };
    [[nodiscard]] PageOrigin origin(const Region &region, u64 page) const;

    /// Unpacks a whole region in the order of its frames: `visit` gets each page that is stored or
    /// zero (an empty span), and may stop by returning false.
    using Visitor = std::function<bool(u64 page, std::span<const std::byte>)>;
    [[nodiscard]] Result<> for_each_page(std::string_view region, const Visitor &visit) const;

private:
    SnapshotFile(std::string path, ScopedFd file)
        : path_(std::move(path)), file_(std::move(file)) {}
    [[nodiscard]] Result<> load();
    [[nodiscard]] Result<> check_index() const;
    [[nodiscard]] Result<> open_parent(unsigned depth);
    [[nodiscard]] Result<> check_parent_regions();
    [[nodiscard]] static Result<std::shared_ptr<SnapshotFile>> open_link(const std::string &path,
                                                                         unsigned depth);
    [[nodiscard]] Result<> read(u64 offset, std::span<std::byte>) const;
    [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const;

    std::string path_;
    ScopedFd file_;
    FileHeader header_;
    Index index_;
    std::shared_ptr<SnapshotFile> parent_;
    std::vector<const Region *> parent_regions_; ///< for each of ours; null: nothing refers to it
    std::unique_ptr<std::byte[]> frames_; ///< the file up to the index, once they have been read
};

} // namespace tandem::machine::snapshot
