#include "machine/storage/qcow2/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace tandem::machine::qcow2 {
namespace {

/// Negative: without zlib's header and checksum.
constexpr int kWindowBits = -12;

Bytef *bytes_of(const std::byte *data) {
    return reinterpret_cast<Bytef *>(const_cast<std::byte *>(data));
}

bool inflate_cluster(std::span<const std::byte> data, std::span<std::byte> cluster) {
    z_stream stream{};
    if (inflateInit2(&stream, kWindowBits) != Z_OK) return false;
    stream.next_in = bytes_of(data.data());
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = bytes_of(cluster.data());
    stream.avail_out = static_cast<uInt>(cluster.size());
    const int status = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    // Z_BUF_ERROR: there is more input than belongs to it, which is usual.
    return (status == Z_STREAM_END || status == Z_BUF_ERROR) && stream.avail_out == 0;
}

std::vector<std::byte> deflate_cluster(std::span<const std::byte> cluster) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindowBits, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return {};
    std::vector<std::byte> result(cluster.size() - 1);
    stream.next_in = bytes_of(cluster.data());
    stream.avail_in = static_cast<uInt>(cluster.size());
    stream.next_out = bytes_of(result.data());
    stream.avail_out = static_cast<uInt>(result.size());
    const int status = deflate(&stream, Z_FINISH);
    result.resize(status == Z_STREAM_END ? result.size() - stream.avail_out : 0);
    deflateEnd(&stream);
    return result;
}

bool unzstd_cluster(std::span<const std::byte> data, std::span<std::byte> cluster) {
    const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream{ZSTD_createDStream(),
                                                                            &ZSTD_freeDStream};
    if (stream == nullptr) return false;
    ZSTD_outBuffer out{cluster.data(), cluster.size(), 0};
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    while (out.pos < out.size) {
        const std::size_t before = in.pos + out.pos;
        const std::size_t status = ZSTD_decompressStream(stream.get(), &out, &in);
        if (ZSTD_isError(status) != 0 || in.pos + out.pos == before) return false;
    }
    return true;
}

std::vector<std::byte> zstd_cluster(std::span<const std::byte> cluster) {
    std::vector<std::byte> result(cluster.size() - 1);
    const std::size_t size = ZSTD_compress(result.data(), result.size(), cluster.data(),
                                           cluster.size(), ZSTD_CLEVEL_DEFAULT);
    result.resize(ZSTD_isError(size) != 0 ? 0 : size);
    return result;
}

} // namespace

bool decompress(CompressionType type, std::span<const std::byte> data,
                std::span<std::byte> cluster) {
    return type == CompressionType::Zstd ? unzstd_cluster(data, cluster)
                                         : inflate_cluster(data, cluster);
}

std::vector<std::byte> compress(CompressionType type, std::span<const std::byte> cluster) {
    return type == CompressionType::Zstd ? zstd_cluster(cluster) : deflate_cluster(cluster);
}

} // namespace tandem::machine::qcow2
