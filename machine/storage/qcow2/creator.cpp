#include "machine/storage/qcow2/creator.h"

#include "machine/storage/qcow2/metadata.h"

#include <fmt/format.h>

namespace tandem::machine::qcow2 {

Result<> create(ByteFile &file, const CreateOptions &options) {
    const auto refuse = [&](std::string_view why) {
        return failure(fmt::format("{}: {}", file.name(), why));
    };
    if (options.version != 2 && options.version != 3)
        return refuse("version is neither 2 nor 3; use 3");
    if (options.cluster_bits < kMinClusterBits || options.cluster_bits > kMaxClusterBits)
        return refuse("the cluster size is no power of two from 512 to 2M; use 64K");
    if (options.refcount_order > 6) return refuse("refcounts have 1 to 64 bits; use 16");
    if (options.version == 2 && (options.refcount_order != 4 || options.lazy_refcounts ||
                                 options.compression != CompressionType::Zlib))
        return refuse("version 2 has 16-bit refcounts, zlib and no lazy refcounts; use version 3");
    Header header;
    header.version = options.version;
    header.cluster_bits = options.cluster_bits;
    header.refcount_order = options.refcount_order;
    header.compression = options.compression;
    if (options.compression != CompressionType::Zlib) header.incompatible |= kCompressionType;
    if (options.lazy_refcounts) header.compatible |= kLazyRefcounts;
    header.backing_file = options.backing_file;
    header.backing_format = options.backing_file.empty() ? "" : options.backing_format;
    const u64 size = align_up(options.size, kSectorSize);
    if (options.size > (u64{1} << 62) || header.l1_entries_for(size) * 8 > kMaxL1Bytes)
        return refuse("the disk is too large for this cluster size; use a larger one");

    // The smallest image: header, refcount table and first block, and a disk of size 0.
    const u64 cluster = header.cluster_size();
    header.refcount_table_offset = cluster;
    header.refcount_table_clusters = 1;
    std::vector<std::byte> table(cluster), block(cluster);
    store_be(table.data(), 2 * cluster);
    for (u64 i = 0; i < 3; ++i) store_refcount(block, i, header.refcount_order, 1);
    TRY(file.write_exactly(cluster, table));
    TRY(file.write_exactly(2 * cluster, block));
    TRY(file.write_exactly(0, TRY(header_cluster(header, file.name()))));

    // It grows the way any image does.
    Metadata metadata(file, header);
    TRY(metadata.load());
    return metadata.replace_l1(std::vector<u64>(header.l1_entries_for(size)), size);
}

} // namespace tandem::machine::qcow2
