#include "machine/storage/qcow2/image.h"

#include "machine/storage/qcow2/checker.h"
#include "machine/storage/qcow2/compression.h"
#include "machine/storage/vectors.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdio>

namespace tandem::machine::qcow2 {
namespace {

/// Bytes allocated and written at once, so that other requests get their turn.
constexpr u64 kMaxAllocation = 4u << 20;

bool is_data(u64 entry) {
    return (entry & (kCompressed | kZero)) == 0 && (entry & kOffsetMask) != 0;
}
/// A place that only this entry refers to, so that it may be overwritten.
bool has_own_place(u64 entry) {
    return (entry & kCompressed) == 0 && (entry & kOffsetMask) != 0 && (entry & kCopied) != 0;
}

} // namespace

Result<std::unique_ptr<Image>> Image::open(std::unique_ptr<ByteFile> file) {
    const auto read_header = [&file]() -> Result<Header> {
        std::vector<std::byte> head(std::min<u64>(file->size(), u64{1} << kMaxClusterBits));
        TRY(file->read_exactly(0, head));
        return parse_header(head, file->name());
    };
    Header header = TRY(read_header());
    if (header.l1_offset > file->size() && header.l1_entries != 0)
        return failure(fmt::format("{}: truncated qcow2 image; copy it again", file->name()));
    if (file->writable()) {
        if (header.has(kCorrupt))
            return failure(fmt::format("{}: is marked as damaged; run: tandem image check --repair "
                                       "all {}, or add ,readonly or ,snapshot",
                                       file->name(), file->name()));
        if (header.has(kExtendedL2))
            return failure(fmt::format("{}: has extended L2 entries, which can only be read; add "
                                       ",readonly or ,snapshot, or convert it",
                                       file->name()));
        if (header.has(kDirty)) {
            // Lazy refcounts that were not written: nothing may be allocated before they are.
            const CheckReport report = TRY(check(*file, Repair::All, {}));
            if (report.errors != 0)
                return failure(fmt::format("{}: was not closed, and cannot be repaired; restore "
                                           "it from a backup",
                                           file->name()));
            header = TRY(read_header());
        }
    }
    std::unique_ptr<Image> image{new Image(std::move(file), std::move(header))};
    TRY(image->metadata_.load());
    return image;
}

Image::~Image() {
    if (!file_->writable() || !metadata_.is_dirty()) return;
    // Twice: the first finds out what is free, the second writes it.
    for (int i = 0; i < 2; ++i)
        if (auto result = metadata_.commit(); !result.has_value()) {
            static_cast<void>(failed(result.error()));
            return;
        }
}

StoreStatus Image::failed(const Error &error) {
    if (!told_.exchange(true))
        fmt::print(stderr, "tandem: {}; the guest sees I/O errors\r\n", error.message);
    return StoreStatus::Failed;
}

template <typename Action>
StoreStatus Image::exclusively(Action action) {
    const std::lock_guard lock(gate_);
    if (!file_->writable() || metadata_.is_corrupt()) return StoreStatus::Failed;
    const Result<> result = action();
    if (result.has_value()) return StoreStatus::Ok;
    if (metadata_.saw_corruption()) metadata_.mark_corrupt();
    return failed(result.error());
}

// --------------------------------------------------------------------------------------- reading

StoreStatus Image::read(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    if (may_wait) {
        gate_.lock_shared();
    } else if (!gate_.try_lock_shared()) {
        return StoreStatus::WouldBlock;
    }
    const StoreStatus status = read_mapped(offset, length, vectors, may_wait);
    gate_.unlock_shared();
    return status;
}

StoreStatus Image::read_mapped(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    while (length != 0) {
        const auto found = metadata_.lookup(offset, length, may_wait);
        if (!found.has_value()) return failed(found.error());
        if (!found->has_value()) return StoreStatus::WouldBlock;
        const Mapping &mapping = **found;
        const u64 count = mapping.length;
        std::vector<iovec> cut;
        std::span<iovec> part = vectors;
        if (count != length) {
            cut = first_bytes(vectors, count);
            part = cut;
        }
        StoreStatus status = StoreStatus::Ok;
        switch (mapping.kind) {
        case ClusterKind::Data: status = file_->read(mapping.host, count, part, may_wait); break;
        case ClusterKind::Zero: fill_zero(part, count); break;
        case ClusterKind::Unallocated: status = read_backing(offset, count, part, may_wait); break;
        case ClusterKind::Compressed:
            if (!may_wait) return StoreStatus::WouldBlock;
            status = read_compressed(mapping.entry, offset % cluster_size(), part, count);
            break;
        }
        if (status != StoreStatus::Ok) return status;
        if (count == length) break;
        vectors = consume(vectors, count);
        offset += count;
        length -= count;
    }
    return StoreStatus::Ok;
}

StoreStatus Image::read_backing(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    const u64 end = backing_ == nullptr ? 0 : backing_->size();
    const u64 inside = offset >= end ? 0 : std::min(length, end - offset);
    if (inside == length) return backing_->read(offset, length, vectors, may_wait);
    // The backing image is shorter: zeros follow.
    if (inside != 0) {
        std::vector<iovec> part = first_bytes(vectors, inside);
        const StoreStatus status = backing_->read(offset, inside, part, may_wait);
        if (status != StoreStatus::Ok) return status;
    }
    fill_zero(consume(vectors, inside), length - inside);
    return StoreStatus::Ok;
}

StoreStatus Image::read_compressed(u64 entry, u64 within, std::span<const iovec> vectors,
                                   u64 length) {
    InflatedCache::Bytes bytes = inflated_.find(entry);
    if (bytes == nullptr) {
        const CompressedExtent extent = compressed_extent(entry, header().cluster_bits);
        std::vector<std::byte> data(extent.length);
        if (auto result = file_->read_exactly(extent.offset, data); !result.has_value())
            return failed(result.error());
        std::vector<std::byte> cluster(cluster_size());
        if (!decompress(header().compression, data, cluster))
            return failed({fmt::format("{}: damaged qcow2 image: compressed data at {} is no "
                                       "cluster; restore it from a backup",
                                       file_->name(), extent.offset)});
        bytes = std::make_shared<const std::vector<std::byte>>(std::move(cluster));
        inflated_.add(entry, bytes);
    }
    scatter(vectors, std::span(*bytes).subspan(within, length));
    return StoreStatus::Ok;
}

Extent Image::extent(u64 offset, u64 length) {
    gate_.lock_shared();
    const auto found = metadata_.lookup(offset, length, true);
    gate_.unlock_shared();
    if (!found.has_value()) return {ExtentKind::Data, length}; // the read will say why
    const Mapping &mapping = **found;
    switch (mapping.kind) {
    case ClusterKind::Zero: return {ExtentKind::Zero, mapping.length};
    case ClusterKind::Unallocated:
        if (backing_ == nullptr || offset >= backing_->size())
            return {ExtentKind::Hole, mapping.length};
        return backing_->extent(offset, std::min(mapping.length, backing_->size() - offset));
    case ClusterKind::Data:
    case ClusterKind::Compressed: break;
    }
    return {ExtentKind::Data, mapping.length};
}

// --------------------------------------------------------------------------------------- writing

StoreStatus Image::write(u64 offset, u64 length, std::span<iovec> vectors) {
    while (length != 0) {
        u64 done = 0;
        if (const StoreStatus status = write_in_place(offset, length, vectors, done);
            status != StoreStatus::Ok)
            return status;
        if (done == 0) {
            const StoreStatus status = exclusively([&]() -> Result<> {
                done = TRY(write_allocating(offset, length, vectors));
                return {};
            });
            if (status != StoreStatus::Ok) return status;
        }
        vectors = consume(vectors, done);
        offset += done;
        length -= done;
    }
    return StoreStatus::Ok;
}

StoreStatus Image::write_in_place(u64 offset, u64 length, std::span<iovec> vectors, u64 &done) {
    gate_.lock_shared();
    StoreStatus status = StoreStatus::Ok;
    const auto found = metadata_.lookup(offset, length, true);
    if (!file_->writable() || metadata_.is_corrupt()) {
        status = StoreStatus::Failed;
    } else if (found.has_value() && (*found)->kind == ClusterKind::Data && (*found)->sole) {
        done = (*found)->length;
        std::vector<iovec> part = first_bytes(vectors, done);
        status = file_->write((*found)->host, done, part);
    }
    gate_.unlock_shared(); // a lookup that failed fails again where the image can be marked
    return status;
}

Result<> Image::fill_old(u64 offset, std::span<std::byte> target) {
    // Beyond the disk's end there is nothing to keep.
    const u64 inside = offset >= size() ? 0 : std::min<u64>(target.size(), size() - offset);
    std::ranges::fill(target.subspan(inside), std::byte{0});
    if (inside == 0) return {};
    iovec vector{target.data(), inside};
    if (read_mapped(offset, inside, {&vector, 1}, true) == StoreStatus::Ok) return {};
    return failure(
        fmt::format("{}: cannot read what a write keeps; check the backing image", file_->name()));
}

Result<u64> Image::write_allocating(u64 offset, u64 length, std::span<iovec> vectors) {
    const u64 cluster = cluster_size();
    const u64 begin = align_down(offset, cluster);
    const u64 room = header().l2_coverage() - begin % header().l2_coverage();
    const u64 wanted = std::min({align_up(offset + length, cluster) - begin,
                                 std::max(kMaxAllocation, cluster), room}) /
                       cluster;

    const u64 first = TRY(metadata_.entry(begin));
    ClusterRun run{first & kOffsetMask, 1, false};
    const bool reuses = has_own_place(first);
    if (!reuses) {
        u64 count = 1;
        while (count < wanted && !has_own_place(TRY(metadata_.entry(begin + count * cluster))))
            ++count;
        run = TRY(metadata_.refcounts().allocate(count));
    }
    const auto give_back = [&](u64 from) {
        // No table refers to them, so that they are free at once.
        if (!reuses)
            static_cast<void>(metadata_.refcounts().subtract(run.offset + from * cluster,
                                                             (run.clusters - from) * cluster));
    };
    const u64 run_end = begin + run.clusters * cluster;
    const u64 end = std::min(offset + length, run_end);

    const Result<> written = [&]() -> Result<> {
        if (is_data(first) && reuses) {
            std::vector<iovec> part = first_bytes(vectors, end - offset);
            if (file_->write(run.offset + (offset - begin), end - offset, part) != StoreStatus::Ok)
                return failure(fmt::format("{}: cannot write", file_->name()));
            return {};
        }
        // What the write leaves of its first and last cluster comes along. Where the file has
        // never been written zeros need not be.
        std::vector<std::byte> head(offset - begin), tail(run_end - end);
        if (run.fresh && reads_zero(begin, head.size())) head.clear();
        if (run.fresh && reads_zero(end, tail.size())) tail.clear();
        TRY(fill_old(begin, head));
        TRY(fill_old(end, tail));
        std::vector<iovec> parts;
        if (!head.empty()) parts.push_back({head.data(), head.size()});
        for (const iovec &vector : first_bytes(vectors, end - offset)) parts.push_back(vector);
        if (!tail.empty()) parts.push_back({tail.data(), tail.size()});
        const u64 at = run.offset + (head.empty() ? offset - begin : 0);
        const u64 bytes = end - offset + head.size() + tail.size();
        if (file_->write(at, bytes, parts) != StoreStatus::Ok)
            return failure(fmt::format("{}: cannot write", file_->name()));
        return {};
    }();
    if (!written.has_value()) {
        give_back(0);
        return std::unexpected(written.error());
    }
    for (u64 i = 0; i < run.clusters; ++i) {
        const u64 at = begin + i * cluster;
        const u64 old = TRY(metadata_.entry(at));
        const u64 entry = (run.offset + i * cluster) | kCopied;
        if (old == entry) continue;
        if (auto result = metadata_.set_entry(at, entry); !result.has_value()) {
            give_back(i);
            return std::unexpected(result.error());
        }
        if (!reuses) metadata_.free_later(old);
    }
    TRY(metadata_.commit_if_crowded());
    return end - offset;
}

StoreStatus Image::write_compressed(u64 offset, std::span<const std::byte> cluster) {
    const std::vector<std::byte> data = compress(header().compression, cluster);
    if (data.empty()) {
        const u64 count = std::min<u64>(cluster.size(), size() - offset);
        return write_bytes(*this, offset, cluster.first(count)) ? StoreStatus::Ok
                                                                : StoreStatus::Failed;
    }
    return exclusively([&]() -> Result<> {
        const u64 place = TRY(metadata_.refcounts().allocate_bytes(data.size()));
        TRY(file_->write_exactly(place, data));
        const u64 old = TRY(metadata_.entry(offset));
        TRY(metadata_.set_entry(offset,
                                compressed_entry(place, data.size(), header().cluster_bits)));
        metadata_.free_later(old);
        inflated_.clear();
        return metadata_.commit_if_crowded();
    });
}

StoreStatus Image::flush() {
    // What others are changing now was not done before this flush began.
    if (!metadata_.is_dirty()) return file_->flush();
    return exclusively([&] { return metadata_.commit(); });
}

// ----------------------------------------------------------------------------- zeros and discards

bool Image::reads_zero(u64 offset, u64 length) {
    if (offset >= size()) return true;
    length = std::min(length, size() - offset);
    while (length != 0) {
        const auto found = metadata_.lookup(offset, length, true);
        if (!found.has_value()) return false;
        const Mapping &mapping = **found;
        const bool beyond_backing = mapping.kind == ClusterKind::Unallocated &&
                                    (backing_ == nullptr || offset >= backing_->size());
        if (mapping.kind != ClusterKind::Zero && !beyond_backing) return false;
        offset += mapping.length;
        length -= mapping.length;
    }
    return true;
}

Result<> Image::zero_bytes(u64 offset, u64 length) {
    static std::array<std::byte, 64 * 1024> zeroes{};
    while (length != 0) {
        const u64 chunk = std::min<u64>(length, zeroes.size());
        if (!reads_zero(offset, chunk)) {
            iovec vector{zeroes.data(), chunk};
            u64 done = 0;
            while (done != chunk) {
                vector = {zeroes.data(), chunk - done};
                done += TRY(write_allocating(offset + done, chunk - done, {&vector, 1}));
            }
        }
        offset += chunk;
        length -= chunk;
    }
    return {};
}

Result<> Image::drop_cluster(u64 offset, bool keep_place) {
    const u64 old = TRY(metadata_.entry(offset));
    u64 entry = 0;
    if (keep_place && header().version >= 3 && has_own_place(old)) {
        entry = (old & kOffsetMask) | kCopied | kZero;
    } else if (backing_ != nullptr) {
        entry = kZero; // or what lies below would come to light again
    }
    if (entry == old) return {};
    TRY(metadata_.set_entry(offset, entry));
    if ((entry & kOffsetMask) == 0) metadata_.free_later(old);
    return metadata_.commit_if_crowded();
}

Result<> Image::zero_range(u64 offset, u64 length, bool may_unmap) {
    const u64 cluster = cluster_size();
    const u64 end = offset + length;
    // The last cluster of the disk is whole if nothing of it lies outside the range.
    const u64 whole_end = end == size() ? align_up(end, cluster) : align_down(end, cluster);
    const u64 whole_begin = align_up(offset, cluster);
    // Version 2 has no zero clusters.
    if (whole_begin >= whole_end || (header().version < 3 && backing_ != nullptr))
        return zero_bytes(offset, length);
    TRY(zero_bytes(offset, whole_begin - offset));
    for (u64 at = whole_begin; at < whole_end; at += cluster) TRY(drop_cluster(at, !may_unmap));
    if (whole_end < end) TRY(zero_bytes(whole_end, end - whole_end));
    return {};
}

StoreStatus Image::discard(u64 offset, u64 length) {
    const u64 end = offset + length == size() ? align_up(size(), cluster_size())
                                              : align_down(offset + length, cluster_size());
    const u64 begin = align_up(offset, cluster_size());
    if (begin >= end || (header().version < 3 && backing_ != nullptr)) return StoreStatus::Ok;
    return exclusively([&]() -> Result<> {
        for (u64 at = begin; at < end; at += cluster_size()) TRY(drop_cluster(at, false));
        return {};
    });
}

StoreStatus Image::write_zeroes(u64 offset, u64 length, bool may_unmap) {
    return exclusively([&] { return zero_range(offset, length, may_unmap); });
}

Result<> Image::resize(u64 new_size) {
    const u64 old_size = size();
    if (new_size % kSectorSize != 0)
        return failure(
            fmt::format("{}: {} is no multiple of 512; round it", file_->name(), new_size));
    if (header().snapshots != 0 && header().version < 3)
        return failure(fmt::format("{}: a version 2 image with snapshots cannot be resized; "
                                   "delete them, or convert it",
                                   file_->name()));
    const u64 entries = header().l1_entries_for(new_size);
    if (entries * 8 > kMaxL1Bytes || new_size > u64{1} << 62)
        return failure(fmt::format("{}: too large for clusters of {} bytes; convert it to larger "
                                   "ones",
                                   file_->name(), cluster_size()));
    if (new_size < old_size) {
        const u64 keep = align_up(new_size, cluster_size());
        if (keep != new_size && keep <= old_size) TRY(zero_bytes(new_size, keep - new_size));
        for (u64 at = keep; at < old_size; at += cluster_size()) {
            const u64 old = TRY(metadata_.entry(at));
            if (old == 0) continue;
            TRY(metadata_.set_entry(at, 0));
            metadata_.free_later(old);
            TRY(metadata_.commit_if_crowded());
        }
        return metadata_.update_header([&](Header &header) { header.size = new_size; });
    }
    if (entries > header().l1_entries) {
        std::vector<u64> l1(metadata_.l1().begin(), metadata_.l1().end());
        l1.resize(entries);
        TRY(metadata_.replace_l1(std::move(l1), old_size));
    }
    TRY(metadata_.update_header([&](Header &header) { header.size = new_size; }));
    // What was beyond the end is zero, whatever a cluster's rest or a longer backing image has.
    const u64 partial = std::min(align_up(old_size, cluster_size()), new_size);
    TRY(zero_bytes(old_size, partial - old_size));
    if (backing_ != nullptr && partial < backing_->size() && partial < new_size)
        TRY(zero_range(partial,
                       std::min(new_size, align_up(backing_->size(), cluster_size())) - partial,
                       true));
    return metadata_.commit();
}

} // namespace tandem::machine::qcow2
