#include "machine/snapshot/snapshot_file.h"

#include "machine/snapshot/parallel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <tuple>

namespace tandem::machine::snapshot {
namespace {

constexpr unsigned kMaxDepth = 64;
/// More than the largest machine needs.
constexpr u64 kMaxIndexBytes = u64{1} << 31;

std::string_view text(const std::vector<char> &chars) {
    return {chars.data(), chars.size()};
}

} // namespace

std::unexpected<Error> SnapshotFile::damaged(std::string_view what) const {
    return failure(fmt::format("{}: damaged: {}; use another snapshot", path_, what));
}

Result<> SnapshotFile::read(u64 offset, std::span<std::byte> target) const {
    while (!target.empty()) {
        const ssize_t got =
            ::pread(file_.get(), target.data(), target.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return failure(fmt::format("{}: cannot read: {}; check the disk it is on", path_,
                                       std::strerror(errno)));
        if (got == 0) return damaged("it is truncated");
        target = target.subspan(static_cast<std::size_t>(got));
        offset += static_cast<u64>(got);
    }
    return {};
}

Result<> SnapshotFile::load() {
    struct stat status{};
    if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return failure(fmt::format("{}: not a regular file; name a snapshot", path_));
    const u64 size = static_cast<u64>(status.st_size);
    const auto header = std::as_writable_bytes(std::span(&header_, 1));
    if (size >= header.size()) TRY(read(0, header));
    if (size < header.size() || header_.magic != kMagic)
        return failure(fmt::format("{}: is no snapshot; name a file that Ctrl-A s made", path_));
    if (header_.version != kFormatVersion)
        return failure(fmt::format("{}: has format {}, this program knows {}; restore it with the "
                                   "program that made it",
                                   path_, header_.version, kFormatVersion));
    if (header_.header_bytes != header.size() ||
        XXH3_64bits(&header_, offsetof(FileHeader, header_hash)) != header_.header_hash)
        return damaged("its header has a wrong checksum");
    if (header_.file_bytes != size)
        return damaged(fmt::format("it has {} of {} bytes", size, header_.file_bytes));
    if (header_.index_bytes > size || header_.index_offset != size - header_.index_bytes ||
        header_.index_offset < header.size() || header_.index_raw_bytes > kMaxIndexBytes)
        return damaged("its header is inconsistent");

    std::vector<std::byte> packed(header_.index_bytes);
    TRY(read(header_.index_offset, packed));
    std::vector<std::byte> raw(header_.index_raw_bytes);
    if (ZSTD_decompress(raw.data(), raw.size(), packed.data(), packed.size()) != raw.size())
        return damaged("its index cannot be unpacked");
    const XXH128_hash_t id = XXH3_128bits(raw.data(), raw.size());
    if (header_.id != SnapshotId{id.high64, id.low64})
        return damaged("its index has a wrong checksum");
    devices::StateReader reader(raw);
    if (!devices::restore_state(reader, "index", index_).has_value())
        return damaged("its index makes no sense");
    return check_index();
}

Result<> SnapshotFile::check_index() const {
    for (const Region &region : index_.regions) {
        const u64 frames = (u64{region.slots} + kPagesPerFrame - 1) / kPagesPerFrame;
        if (region.frames.size() != frames) return damaged("a region has too few pages");
        for (const Frame &frame : region.frames)
            if (frame.bytes == 0 || frame.offset < sizeof(FileHeader) ||
                frame.offset > header_.index_offset ||
                frame.bytes > header_.index_offset - frame.offset)
                return damaged("pages lie outside of it");
        for (const u32 code : region.pages) {
            if (code == kPageInParent ? index_.parent_path.empty()
                                      : code >= kFirstSlot && code - kFirstSlot >= region.slots)
                return damaged("a page is nowhere");
        }
    }
    return {};
}

Result<> SnapshotFile::open_parent(unsigned depth) {
    if (index_.parent_path.empty()) return {};
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path self =
        fs::is_symlink(path_, error) ? fs::canonical(path_, error) : fs::path(path_);
    const fs::path below = self.parent_path() / text(index_.parent_path);
    auto parent = open_link(below.string(), depth + 1);
    if (!parent.has_value() || (*parent)->id() != index_.parent_id)
        if (auto kept = open_link(kept_path(below.parent_path(), index_.parent_id), depth + 1);
            kept.has_value())
            parent = std::move(kept);
    if (!parent.has_value())
        return failure(fmt::format("{} (which {} is based on)", parent.error().message, path_));
    parent_ = std::move(*parent);
    if (parent_->id() != index_.parent_id)
        return failure(fmt::format("{}: has been replaced since {} was based on it; save again",
                                   below.string(), path_));
    return check_parent_regions();
}

std::string SnapshotFile::kept_path(const std::string &folder, const SnapshotId &id) {
    return (std::filesystem::path(folder) /
            fmt::format(".{:016x}{:016x}{}", id[0], id[1], kFileEnding))
        .string();
}

Result<> SnapshotFile::check_parent_regions() {
    for (const Region &region : index_.regions) {
        parent_regions_.push_back(nullptr);
        if (std::ranges::find(region.pages, kPageInParent) == region.pages.end()) continue;
        const Region *base = parent_->find_region(text(region.name));
        if (base == nullptr || base->pages.size() != region.pages.size())
            return damaged("it is based on a snapshot of another machine");
        parent_regions_.back() = base;
    }
    return {};
}

Result<std::shared_ptr<SnapshotFile>> SnapshotFile::open_link(const std::string &path,
                                                              unsigned depth) {
    if (depth > kMaxDepth)
        return failure(fmt::format("{}: more than {} snapshots based on each other; save a whole "
                                   "one",
                                   path, kMaxDepth));
    // O_NONBLOCK: opening a FIFO by mistake must not hang.
    ScopedFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file.is_open())
        return failure(
            fmt::format("{}: {}; name a snapshot that can be read", path, std::strerror(errno)));
    std::shared_ptr<SnapshotFile> self{new SnapshotFile(path, std::move(file))};
    TRY(self->load());
    TRY(self->open_parent(depth));
    return self;
}

Result<std::shared_ptr<SnapshotFile>> SnapshotFile::open(const std::string &path) {
    return open_link(path, 0);
}

const Region *SnapshotFile::find_region(std::string_view name) const {
    const auto found = std::ranges::find(index_.regions, name,
                                         [](const Region &region) { return text(region.name); });
    return found == index_.regions.end() ? nullptr : &*found;
}

Result<std::span<const std::byte>> SnapshotFile::blob(std::string_view name) const {
    const auto found =
        std::ranges::find(index_.blobs, name, [](const Blob &blob) { return text(blob.name); });
    if (found == index_.blobs.end())
        return failure(fmt::format("has no state of {}; start the machine as it was saved", name));
    return std::as_bytes(std::span(found->bytes));
}

Result<> SnapshotFile::read_frames() {
    if (parent_ != nullptr) TRY(parent_->read_frames());
    std::vector<const Frame *> all;
    for (const Region &region : index_.regions)
        for (const Frame &frame : region.frames) all.push_back(&frame);
    frames_ = std::make_unique_for_overwrite<std::byte[]>(header_.index_offset);
    std::atomic<bool> is_read = true, is_sound = true;
    work_in_parallel(all.size(), [&](Ticket &ticket) {
        for (u64 i = 0; is_read && ticket.take(i);) {
            const std::span bytes(frames_.get() + all[i]->offset, all[i]->bytes);
            if (!read(all[i]->offset, bytes).has_value()) is_read = false;
            if (XXH3_64bits(bytes.data(), bytes.size()) != all[i]->hash) is_sound = false;
        }
    });
    if (!is_read)
        return failure(
            fmt::format("{}: cannot be read to its end; check the disk it is on", path_));
    if (!is_sound) return damaged("pages have a wrong checksum");
    return {};
}

void SnapshotFile::drop_frames() {
    frames_.reset();
    if (parent_ != nullptr) parent_->drop_frames();
}

bool SnapshotFile::unpack(const Region &region, u64 number, std::span<std::byte> target) const {
    const Frame &frame = region.frames[number];
    const u64 pages =
        std::min<u64>(kPagesPerFrame, region.slots - number * kPagesPerFrame) * kPageSize;
    return ZSTD_decompress(target.data(), pages, frames_.get() + frame.offset, frame.bytes) ==
           pages;
}

SnapshotFile::PageOrigin SnapshotFile::origin(const Region &region, u64 page) const {
    const SnapshotFile *file = this;
    const Region *at = &region;
    // open_parent() has made sure that there is something to refer to.
    while (at->pages[page] == kPageInParent) {
        at = file->parent_regions_[static_cast<std::size_t>(at - file->index_.regions.data())];
        file = file->parent_.get();
    }
    const u32 code = at->pages[page];
    if (code < kFirstSlot) return {.code = code};
    return {file, at, code - kFirstSlot};
}

Result<> SnapshotFile::for_each_page(std::string_view name, const Visitor &visit) const {
    const Region *region = find_region(name);
    if (region == nullptr) return damaged(fmt::format("it has no {}", name));
    struct Stored {
        PageOrigin origin;
        u64 page;
    };
    std::vector<Stored> stored;
    for (u64 page = 0; page < region->pages.size(); ++page) {
        const PageOrigin from = origin(*region, page);
        if (from.file != nullptr) {
            stored.push_back({from, page});
        } else if (from.code == kPageZero && !visit(page, {})) {
            return {};
        }
    }
    std::ranges::sort(stored, [](const Stored &a, const Stored &b) {
        return std::tie(a.origin.file, a.origin.code, a.page) <
               std::tie(b.origin.file, b.origin.code, b.page);
    });
    std::vector<std::byte> pages(kFrameSize);
    const SnapshotFile *file = nullptr;
    u64 frame = 0;
    for (const Stored &each : stored) {
        if (each.origin.file != file || each.origin.code / kPagesPerFrame != frame) {
            file = each.origin.file;
            frame = each.origin.code / kPagesPerFrame;
            if (!file->unpack(*each.origin.region, frame, pages))
                return damaged("pages cannot be unpacked");
        }
        if (!visit(each.page, std::span(pages).subspan(
                                  each.origin.code % kPagesPerFrame * kPageSize, kPageSize)))
            return {};
    }
    return {};
}

} // namespace tandem::machine::snapshot
