#include "machine/snapshot/writer.h"

#include "machine/snapshot/parallel.h"
#include "machine/snapshot/snapshot_file.h"
#include "support/zeros.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <xxhash.h>
#include <zstd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace tandem::machine::snapshot {
namespace {

/// The fastest: pages that compress at all do so with it, and the machine waits meanwhile.
constexpr int kLevel = 1;
/// Frames compressed before they are written.
constexpr u64 kBatch = 256;
constexpr u64 kHashPiece = 256; ///< pages hashed at a time

using PageBuffer = std::array<std::byte, kPageSize>;

struct ZstdFree {
    void operator()(ZSTD_CCtx *context) const { ZSTD_freeCCtx(context); }
};

std::vector<char> chars(std::string_view text) {
    return {text.begin(), text.end()};
}

bool is_set(std::span<const u64> bitmap, u64 page) {
    return bit(bitmap[page / 64], static_cast<unsigned>(page % 64));
}

/// Those to look at: of what is there, what may have changed.
std::vector<u64> pages_of(const PagedRegion &region, std::span<const u64> changed) {
    std::vector<u64> pages;
    for (const PageRange &range : region.ranges())
        for (u64 page = range.first; page < range.first + range.count; ++page)
            if (changed.empty() || is_set(changed, page)) pages.push_back(page);
    return pages;
}

/// Sets the hashes of these pages; false if one cannot be read.
bool hash_pages(const PagedRegion &region, std::span<const u64> pages,
                std::vector<PageHash> &hashes) {
    std::atomic<bool> is_read = true;
    work_in_parallel((pages.size() + kHashPiece - 1) / kHashPiece, [&](Ticket &ticket) {
        PageBuffer buffer;
        for (u64 piece = 0; ticket.take(piece);) {
            const u64 end = std::min((piece + 1) * kHashPiece, u64{pages.size()});
            for (const u64 page : pages.subspan(piece * kHashPiece, end - piece * kHashPiece)) {
                const std::byte *bytes = region.page(page, buffer);
                if (bytes == nullptr) {
                    is_read = false;
                } else if (is_zero({bytes, kPageSize})) {
                    hashes[page] = kHashOfZero;
                } else {
                    const XXH128_hash_t hash = XXH3_128bits(bytes, kPageSize);
                    hashes[page] = {hash.high64, hash.low64};
                }
            }
        }
    });
    return is_read;
}

/// Finds pages that have been stored already.
class StoredPages {
public:
    StoredPages(const PagedRegion &region, std::size_t most)
        : region_(region), table_(std::bit_ceil(most * 2 + 1), 0) {}

    [[nodiscard]] std::span<const u64> pages() const { return pages_; }

    /// The slot of a page with these bytes; a new one if there is none.
    u32 slot_of(u64 page, const PageHash &hash) {
        for (u64 at = hash[1] & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
            if (table_[at] == 0) {
                pages_.push_back(page);
                hashes_.push_back(hash);
                table_[at] = static_cast<u32>(pages_.size());
                return table_[at] - 1;
            }
            const u32 slot = table_[at] - 1;
            // A guest can make pages whose hashes collide.
            if (hashes_[slot] == hash && are_equal(page, pages_[slot])) return slot;
        }
    }

private:
    [[nodiscard]] bool are_equal(u64 a, u64 b) const {
        PageBuffer first, second;
        const std::byte *x = region_.page(a, first), *y = region_.page(b, second);
        return x != nullptr && y != nullptr && std::memcmp(x, y, kPageSize) == 0;
    }

    const PagedRegion &region_;
    std::vector<u32> table_; ///< open addressing: slot + 1, or 0
    std::vector<u64> pages_; ///< of each slot
    std::vector<PageHash> hashes_;
};

/// One frame of the pages; empty if one cannot be read.
std::vector<std::byte> compress(ZSTD_CCtx *context, const PagedRegion &region,
                                std::span<const u64> pages) {
    std::vector<std::byte> raw(pages.size() * kPageSize);
    for (std::size_t i = 0; i < pages.size(); ++i) {
        const std::span<std::byte, kPageSize> target(raw.data() + i * kPageSize, kPageSize);
        const std::byte *bytes = region.page(pages[i], target);
        if (bytes == nullptr) return {};
        if (bytes != target.data()) std::memcpy(target.data(), bytes, kPageSize);
    }
    std::vector<std::byte> packed(ZSTD_compressBound(raw.size()));
    const std::size_t size =
        ZSTD_compressCCtx(context, packed.data(), packed.size(), raw.data(), raw.size(), kLevel);
    if (ZSTD_isError(size) != 0) return {};
    packed.resize(size);
    return packed;
}

} // namespace

Base base_of(const SnapshotFile &file) {
    Base base{file.path(), file.id(), {}};
    for (const Region &region : file.index().regions)
        base.regions[{region.name.begin(), region.name.end()}].assign(region.pages.size(),
                                                                      kHashUnknown);
    return base;
}

Result<Writer> Writer::create(const std::string &path) {
    std::string temporary = path + ".XXXXXX";
    ScopedFd file{::mkostemp(temporary.data(), O_CLOEXEC)};
    if (!file.is_open())
        return failure(fmt::format("{}: cannot create: {}; name a file in a folder that can be "
                                   "written",
                                   path, std::strerror(errno)));
    Writer writer(path, std::move(temporary), std::move(file));
    TRY(writer.append(std::array<std::byte, sizeof(FileHeader)>{}));
    return writer;
}

Writer::Writer(Writer &&other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)), end_(other.end_), index_(std::move(other.index_)),
      base_(std::move(other.base_)), seen_(std::move(other.seen_)) {}

Writer::~Writer() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

std::unexpected<Error> Writer::cannot_write(int error) const {
    return failure(fmt::format("{}: cannot write: {}; make room or name another file; the machine "
                               "goes on",
                               path_, std::strerror(error)));
}

Result<> Writer::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(end_));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return cannot_write(written < 0 ? errno : ENOSPC);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        end_ += static_cast<u64>(written);
    }
    return {};
}

Result<> Writer::add_region(const PagedRegion &source) {
    Region region;
    region.name = chars(source.name());
    region.pages.resize(source.page_count());
    const std::vector<PageHash> *before = nullptr;
    if (base_.has_value())
        if (const auto found = base_->regions.find(source.name());
            found != base_->regions.end() && found->second.size() == source.page_count())
            before = &found->second;
    const std::span<const u64> changed =
        before != nullptr ? source.changed() : std::span<const u64>();
    const std::vector<u64> pages = pages_of(source, changed);
    std::vector<PageHash> &hashes = seen_.regions[source.name()];
    hashes.assign(source.page_count(),
                  source.elsewhere() == kPageZero ? kHashOfZero : kHashOfAbsent);
    if (!changed.empty())
        for (u64 page = 0; page < hashes.size(); ++page)
            if (!is_set(changed, page)) hashes[page] = (*before)[page];
    if (!hash_pages(source, pages, hashes))
        return failure(
            fmt::format("{}: {} cannot be read; the machine goes on", path_, source.name()));
    StoredPages stored(source, pages.size());
    for (u64 page = 0; page < hashes.size(); ++page) {
        const PageHash &hash = hashes[page];
        if (before != nullptr && (*before)[page] == hash)
            region.pages[page] = kPageInParent;
        else if (hash == kHashOfZero || hash == kHashOfAbsent)
            region.pages[page] = hash == kHashOfZero ? kPageZero : kPageAbsent;
        else
            region.pages[page] = kFirstSlot + stored.slot_of(page, hash);
    }
    region.slots = static_cast<u32>(stored.pages().size());
    const u64 frames = (region.slots + kPagesPerFrame - 1) / kPagesPerFrame;
    for (u64 first = 0; first < frames; first += kBatch) {
        std::vector<std::vector<std::byte>> batch(std::min(kBatch, frames - first));
        work_in_parallel(batch.size(), [&](Ticket &ticket) {
            const std::unique_ptr<ZSTD_CCtx, ZstdFree> context(ZSTD_createCCtx());
            for (u64 i = 0; context != nullptr && ticket.take(i);) {
                const u64 slot = (first + i) * kPagesPerFrame;
                batch[i] = compress(context.get(), source,
                                    stored.pages().subspan(
                                        slot, std::min<u64>(kPagesPerFrame, region.slots - slot)));
            }
        });
        for (const std::vector<std::byte> &packed : batch) {
            if (packed.empty())
                return failure(fmt::format("{}: {} cannot be compressed; free some memory; the "
                                           "machine goes on",
                                           path_, source.name()));
            region.frames.push_back(
                {end_, static_cast<u32>(packed.size()), XXH3_64bits(packed.data(), packed.size())});
            TRY(append(packed));
        }
    }
    index_.regions.push_back(std::move(region));
    return {};
}

void Writer::add_blob(std::string_view name, std::span<const std::byte> bytes) {
    const auto *data = reinterpret_cast<const u8 *>(bytes.data());
    index_.blobs.push_back({chars(name), {data, data + bytes.size()}});
}

void Writer::set_base(Base base) {
    const std::filesystem::path folder =
        std::filesystem::absolute(path_).lexically_normal().parent_path();
    index_.parent_path = chars(std::filesystem::absolute(base.path)
                                   .lexically_normal()
                                   .lexically_relative(folder)
                                   .string());
    index_.parent_id = base.id;
    base_ = std::move(base);
}

Result<Writer::Finished> Writer::finish(std::string_view manifest) {
    index_.manifest = chars(manifest);
    devices::StateWriter raw;
    devices::save_state(raw, "index", index_);
    std::vector<std::byte> packed(ZSTD_compressBound(raw.data().size()));
    const std::size_t size =
        ZSTD_compress(packed.data(), packed.size(), raw.data().data(), raw.data().size(), kLevel);
    if (ZSTD_isError(size) != 0) return cannot_write(ENOMEM);
    packed.resize(size);

    FileHeader header;
    header.header_bytes = sizeof header;
    header.index_offset = end_;
    header.index_bytes = packed.size();
    header.index_raw_bytes = raw.data().size();
    TRY(append(packed));
    header.file_bytes = end_;
    const XXH128_hash_t id = XXH3_128bits(raw.data().data(), raw.data().size());
    header.id = {id.high64, id.low64};
    header.header_hash = XXH3_64bits(&header, offsetof(FileHeader, header_hash));
    const u64 bytes = end_;
    end_ = 0;
    TRY(append(std::as_bytes(std::span(&header, 1))));
    // What was saved must not be a name without content after a power cut.
    if (::fsync(file_.get()) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0)
        return cannot_write(errno);
    temporary_.clear();
    seen_.path = path_;
    seen_.id = header.id;
    return Finished{std::move(seen_), bytes};
}

} // namespace tandem::machine::snapshot
