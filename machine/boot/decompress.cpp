#include "machine/boot/decompress.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine {
namespace {

/// A buffer that doubles up to a limit.
class Output {
public:
    Output(u64 first, u64 limit) : limit_(limit) { grow_to(std::clamp<u64>(first, 1, limit)); }

    [[nodiscard]] bool usable() const { return data_ != nullptr; }
    [[nodiscard]] bool full() const { return used_ == capacity_; }
    [[nodiscard]] std::span<std::byte> room() { return {data_.get() + used_, capacity_ - used_}; }
    void advance(u64 count) { used_ += count; }
    [[nodiscard]] bool grow() {
        return capacity_ < limit_ && grow_to(std::min(capacity_ * 2, limit_));
    }
    [[nodiscard]] bool at_limit() const { return capacity_ >= limit_; }
    FileBytes take() && { return FileBytes{std::move(data_), used_}; }

private:
    bool grow_to(u64 capacity) {
        std::unique_ptr<std::byte[]> bigger{new (std::nothrow) std::byte[capacity]};
        if (bigger == nullptr) return false;
        if (used_ != 0) std::memcpy(bigger.get(), data_.get(), used_);
        data_ = std::move(bigger);
        capacity_ = capacity;
        return true;
    }

    std::unique_ptr<std::byte[]> data_;
    u64 capacity_ = 0;
    u64 used_ = 0;
    u64 limit_;
};

std::unexpected<Error> no_room(const Output &output, u64 limit) {
    if (output.at_limit())
        return failure(fmt::format("decompresses to more than {}", human_size(limit)));
    return failure("host out of memory while decompressing");
}

Result<FileBytes> gunzip(std::span<const std::byte> bytes, u64 limit) {
    z_stream stream{};
    // 16 + MAX_WBITS: expect a gzip header and check its trailer.
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return failure("host out of memory");
    struct Guard {
        z_stream *stream;
        ~Guard() { inflateEnd(stream); }
    } guard{&stream};
    Output output(bytes.size() * 3, limit);
    if (!output.usable()) return failure("host out of memory while decompressing");
    u64 consumed = 0;
    for (;;) {
        const u64 chunk = std::min<u64>(bytes.size() - consumed, 1u << 30);
        stream.next_in =
            reinterpret_cast<Bytef *>(const_cast<std::byte *>(bytes.data() + consumed));
        stream.avail_in = static_cast<uInt>(chunk);
        if (output.full() && !output.grow()) return no_room(output, limit);
        const auto room = output.room();
        const uInt space = static_cast<uInt>(std::min<u64>(room.size(), 1u << 30));
        stream.next_out = reinterpret_cast<Bytef *>(room.data());
        stream.avail_out = space;
        const int status = inflate(&stream, Z_NO_FLUSH);
        consumed += chunk - stream.avail_in;
        output.advance(space - stream.avail_out);
        if (status == Z_STREAM_END) return std::move(output).take();
        if (status == Z_BUF_ERROR || (status == Z_OK && consumed == bytes.size())) {
            if (stream.avail_out == 0) continue;
            return failure("the gzip data is truncated");
        }
        if (status != Z_OK) return failure("the gzip data is damaged");
    }
}

Result<FileBytes> unzstd(std::span<const std::byte> bytes, u64 limit) {
    const auto free_stream = [](ZSTD_DStream *stream) { ZSTD_freeDStream(stream); };
    const std::unique_ptr<ZSTD_DStream, decltype(free_stream)> stream{ZSTD_createDStream(),
                                                                      free_stream};
    if (stream == nullptr) return failure("host out of memory while decompressing");
    Output output(bytes.size() * 4, limit);
    if (!output.usable()) return failure("host out of memory while decompressing");
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
        if (output.full() && !output.grow()) return no_room(output, limit);
        const auto room = output.room();
        ZSTD_outBuffer out{room.data(), room.size(), 0};
        const std::size_t status = ZSTD_decompressStream(stream.get(), &out, &in);
        if (ZSTD_isError(status) != 0)
            return failure(fmt::format("the zstd data is damaged ({})", ZSTD_getErrorName(status)));
        output.advance(out.pos);
        // 0: a frame ended. Kernels hold one frame, followed by their size and padding.
        if (status == 0) return std::move(output).take();
        if (in.pos == in.size && out.pos < out.size) return failure("the zstd data is truncated");
    }
}

} // namespace

Compression sniff_compression(std::span<const std::byte> bytes, std::string &name) {
    struct Row {
        std::string_view magic;
        Compression kind;
        const char *name;
    };
    using namespace std::string_view_literals;
    static constexpr Row kRows[] = {
        {"\x1f\x8b"sv, Compression::Gzip, "gzip"},
        {"\x28\xb5\x2f\xfd"sv, Compression::Zstd, "zstd"},
        {"\xfd"
         "7zXZ"sv,
         Compression::Unsupported, "xz"},
        {"BZh"sv, Compression::Unsupported, "bzip2"},
        {"\x04\x22\x4d\x18"sv, Compression::Unsupported, "lz4"},
        {"\x02\x21\x4c\x18"sv, Compression::Unsupported, "lz4"},
        {"\x89LZO"sv, Compression::Unsupported, "lzo"},
        {"\x5d\x00\x00"sv, Compression::Unsupported, "lzma"},
    };
    for (const Row &row : kRows) {
        if (has_text(bytes, 0, row.magic)) {
            name = row.name;
            return row.kind;
        }
    }
    return Compression::None;
}

Result<FileBytes> decompress(Compression kind, std::span<const std::byte> bytes, u64 limit) {
    if (kind == Compression::Gzip) return gunzip(bytes, limit);
    if (kind == Compression::Zstd) return unzstd(bytes, limit);
    return failure("the compression is not supported");
}

} // namespace tandem::machine
