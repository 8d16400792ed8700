#include "jit/disk_cache/shard.h"

#include "jit/disk_cache/byte_codec.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tandem::jit {
namespace {

constexpr std::array<char, 8> kMagic{'T', 'A', 'N', 'D', 'E', 'M', '\x1a', 'T'};
constexpr u32 kVersion = 1;
constexpr int kCompressionLevel = 3;
constexpr u32 kMaxIndexBytes = 1u << 28;

struct Header {
    std::array<char, 8> magic = kMagic;
    u32 version = kVersion;
    u32 header_bytes = 0;
    Checksum identity{};
    u64 file_bytes = 0;
    u64 index_offset = 0;
    u32 index_packed_bytes = 0, index_raw_bytes = 0;
    Checksum index_checksum{}; ///< as compressed
    u64 header_hash = 0;       ///< XXH3 of what precedes it
};
static_assert(sizeof(Header) == 80);

u64 hash_of(const Header &header) {
    return XXH3_64bits(&header, offsetof(Header, header_hash));
}

std::vector<std::byte> compress(std::span<const std::byte> raw) {
    std::vector<std::byte> packed(ZSTD_compressBound(raw.size()));
    packed.resize(
        ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), kCompressionLevel));
    return packed;
}

bool decompress(std::span<const std::byte> packed, std::span<std::byte> raw) {
    return ZSTD_decompress(raw.data(), raw.size(), packed.data(), packed.size()) == raw.size();
}

std::vector<std::byte> encode_index(const std::string &made_for,
                                    std::span<const ShardEntry> entries) {
    std::vector<std::byte> bytes;
    ByteWriter out(bytes);
    out.put_count(made_for.size());
    out.put_bytes(std::as_bytes(std::span(made_for)));
    out.put_count(entries.size());
    for (const ShardEntry &entry : entries) {
        for (const u64 word : entry.id) out.put(word);
        out.put_count(entry.keys.size());
        for (const u64 key : entry.keys) out.put(key);
        out.put(entry.guest_instructions);
        out.put(entry.first_byte);
        out.put(entry.end_byte);
        out.put(static_cast<u8>(entry.is_hot));
        out.put(entry.last_used);
        out.put(entry.offset);
        out.put(entry.packed_bytes);
        out.put(entry.raw_bytes);
        for (const u64 word : entry.checksum) out.put(word);
    }
    return bytes;
}

/// A file with another name until it is complete.
class NewFile {
public:
    explicit NewFile(const std::string &path) : path_(path), temporary_(path + ".XXXXXX") {
        file_.reset(::mkostemp(temporary_.data(), O_CLOEXEC));
    }
    ~NewFile() {
        if (file_.is_open()) ::unlink(temporary_.c_str());
    }
    NewFile(const NewFile &) = delete;
    NewFile &operator=(const NewFile &) = delete;

    [[nodiscard]] Result<> write(std::span<const std::byte> bytes) {
        while (file_.is_open() && !bytes.empty()) {
            const ssize_t done = ::write(file_.get(), bytes.data(), bytes.size());
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) break;
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        }
        if (file_.is_open() && bytes.empty()) return {};
        return failed();
    }
    [[nodiscard]] Result<> finish() {
        if (!file_.is_open() || ::rename(temporary_.c_str(), path_.c_str()) != 0) return failed();
        file_.reset();
        return {};
    }

private:
    [[nodiscard]] std::unexpected<Error> failed() const {
        return failure(fmt::format("{}: cannot be written: {}", path_, std::strerror(errno)));
    }
    std::string path_, temporary_;
    ScopedFd file_;
};

} // namespace

Checksum checksum_of(std::span<const std::byte> bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.high64, hash.low64};
}

std::optional<ShardIndex> decode_index(std::span<const std::byte> bytes) {
    ByteReader in(bytes);
    ShardIndex index;
    const auto text = in.take(in.get<u32>());
    index.made_for.assign(reinterpret_cast<const char *>(text.data()), text.size());
    index.entries.resize(in.get_count(73));
    for (ShardEntry &entry : index.entries) {
        for (u64 &word : entry.id) word = in.get<u64>();
        entry.keys.resize(in.get_count(8));
        for (u64 &key : entry.keys) key = in.get<u64>();
        entry.guest_instructions = in.get<u32>();
        entry.first_byte = in.get<u32>();
        entry.end_byte = in.get<u32>();
        entry.is_hot = in.get<u8>() != 0;
        entry.last_used = in.get<u64>();
        entry.offset = in.get<u64>();
        entry.packed_bytes = in.get<u32>();
        entry.raw_bytes = in.get<u32>();
        for (u64 &word : entry.checksum) word = in.get<u64>();
        const bool has_range = entry.first_byte < entry.end_byte && entry.end_byte <= 4096;
        if (entry.packed_bytes != 0 && (!has_range || entry.raw_bytes > Shard::kMaxRegionBytes))
            in.fail();
    }
    if (!in.is_complete()) return std::nullopt;
    return index;
}

PackedRegion pack(const RegionRecord &record) {
    const std::vector<std::byte> raw = encode(record);
    const auto packed = std::make_shared<const std::vector<std::byte>>(compress(raw));
    return {.entry = {.id = record.id(),
                      .keys = entry_keys(record),
                      .guest_instructions = record.outline.guest_instructions,
                      .first_byte = record.outline.ranges.at(0).first_byte,
                      .end_byte = record.outline.ranges.at(0).end_byte,
                      .packed_bytes = static_cast<u32>(packed->size()),
                      .raw_bytes = static_cast<u32>(raw.size()),
                      .checksum = checksum_of(*packed)},
            .packed = packed};
}

std::optional<RegionRecord> unpack(const ShardEntry &entry, std::span<const std::byte> packed) {
    std::vector<std::byte> raw(entry.raw_bytes);
    if (!decompress(packed, raw)) return std::nullopt;
    auto record = decode(raw);
    if (record.has_value() && record->id() != entry.id) record.reset();
    return record;
}

// --- reading
// ----------------------------------------------------------------------------------------

std::unexpected<Error> Shard::damaged(std::string_view what) const {
    return failure(fmt::format("{}: {}", path_, what));
}

Result<> Shard::read_at(u64 offset, std::span<std::byte> target) const {
    while (!target.empty()) {
        const ssize_t got =
            ::pread(file_.get(), target.data(), target.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return damaged(fmt::format("cannot be read: {}", std::strerror(errno)));
        if (got == 0) return damaged("is truncated");
        target = target.subspan(static_cast<std::size_t>(got));
        offset += static_cast<u64>(got);
    }
    return {};
}

Result<std::shared_ptr<const Shard>> Shard::open(const std::string &path) {
    std::shared_ptr<Shard> shard(new Shard(path));
    shard->file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!shard->file_.is_open())
        return shard->damaged(fmt::format("cannot be opened: {}", std::strerror(errno)));
    TRY(shard->load());
    return shard;
}

Result<> Shard::load() {
    struct stat status{};
    if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return damaged("is no regular file");
    bytes_ = static_cast<u64>(status.st_size);
    Header header;
    if (bytes_ < sizeof header) return damaged("is truncated");
    TRY(read_at(0, std::as_writable_bytes(std::span(&header, 1))));
    if (header.magic != kMagic) return damaged("is no part of a translation cache");
    if (header.version != kVersion)
        return damaged(
            fmt::format("has format {}, this program knows {}", header.version, kVersion));
    if (header.header_bytes != sizeof header || hash_of(header) != header.header_hash)
        return damaged("its header has a wrong checksum");
    if (header.file_bytes != bytes_)
        return damaged(fmt::format("has {} of {} bytes", bytes_, header.file_bytes));
    if (header.index_offset < sizeof header || header.index_offset > bytes_ ||
        header.index_packed_bytes != bytes_ - header.index_offset ||
        header.index_raw_bytes > kMaxIndexBytes)
        return damaged("its header is inconsistent");
    identity_ = header.identity;
    std::vector<std::byte> packed(header.index_packed_bytes);
    TRY(read_at(header.index_offset, packed));
    if (checksum_of(packed) != header.index_checksum)
        return damaged("its index has a wrong checksum");
    std::vector<std::byte> raw(header.index_raw_bytes);
    auto index = decompress(packed, raw) ? decode_index(raw) : std::nullopt;
    if (!index.has_value()) return damaged("its index makes no sense");
    for (const ShardEntry &entry : index->entries)
        if (entry.packed_bytes != 0 &&
            (entry.offset < sizeof header || entry.offset > header.index_offset ||
             entry.packed_bytes > header.index_offset - entry.offset))
            return damaged("a region lies outside of it");
    index_ = std::move(*index);
    return {};
}

Result<std::vector<std::byte>> Shard::read(const ShardEntry &entry) const {
    std::vector<std::byte> packed(entry.packed_bytes);
    TRY(read_at(entry.offset, packed));
    if (checksum_of(packed) != entry.checksum) return damaged("a region has a wrong checksum");
    return packed;
}

void Shard::touch() const {
    // Read-only ones are not cleaned up either.
    static_cast<void>(::futimens(file_.get(), nullptr));
}

// --- writing
// ----------------------------------------------------------------------------------------

Result<u64> write_shard(const std::string &path, const Checksum &identity,
                        const std::string &made_for, std::span<const PackedRegion> regions) {
    Header header;
    header.header_bytes = sizeof header;
    header.identity = identity;
    std::vector<ShardEntry> entries;
    u64 offset = sizeof header;
    for (const PackedRegion &region : regions) {
        ShardEntry &entry = entries.emplace_back(region.entry);
        entry.offset = offset;
        entry.packed_bytes = region.packed != nullptr ? static_cast<u32>(region.packed->size()) : 0;
        offset += entry.packed_bytes;
    }
    const std::vector<std::byte> raw = encode_index(made_for, entries);
    const std::vector<std::byte> packed = compress(raw);
    header.index_offset = offset;
    header.index_packed_bytes = static_cast<u32>(packed.size());
    header.index_raw_bytes = static_cast<u32>(raw.size());
    header.index_checksum = checksum_of(packed);
    header.file_bytes = offset + packed.size();
    header.header_hash = hash_of(header);

    std::vector<std::byte> bytes;
    bytes.reserve(header.file_bytes);
    ByteWriter out(bytes);
    out.put_bytes(std::as_bytes(std::span(&header, 1)));
    for (const PackedRegion &region : regions)
        if (region.packed != nullptr) out.put_bytes(*region.packed);
    out.put_bytes(packed);
    NewFile file(path);
    TRY(file.write(bytes));
    TRY(file.finish());
    return header.file_bytes;
}

} // namespace tandem::jit
