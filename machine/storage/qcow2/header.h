#pragma once
/// The header cluster of a qcow2 image: parsed with suspicion, written back whole or in its fixed
/// part.
#include "machine/storage/qcow2/format.h"
#include "support/result.h"

#include <string>
#include <vector>

namespace tandem::machine::qcow2 {

struct Extension {
    u32 type = 0;
    std::vector<std::byte> data;
};

struct Header {
    u32 version = 3;
    u32 cluster_bits = 16;
    u64 size = 0; ///< of the disk, in bytes
    u32 l1_entries = 0;
    u64 l1_offset = 0;
    u64 refcount_table_offset = 0;
    u32 refcount_table_clusters = 0;
    u32 snapshots = 0;
    u64 snapshots_offset = 0;
    u64 incompatible = 0, compatible = 0, autoclear = 0;
    u32 refcount_order = 4;
    CompressionType compression = CompressionType::Zlib;
    std::string backing_file;
    std::string backing_format; ///< from its extension; empty: not said
    /// Those that are neither the end nor the backing format; kept as they are.
    std::vector<Extension> extensions;
    u32 length = kHeaderLengthCompression; ///< of the fixed part, as the file has it
    u64 backing_offset = 0;                ///< of the backing file's name, as the file has it

    [[nodiscard]] u64 cluster_size() const { return u64{1} << cluster_bits; }
    [[nodiscard]] bool has(u64 incompatible_feature) const {
        return (incompatible & incompatible_feature) != 0;
    }
    [[nodiscard]] unsigned l2_entry_size() const { return has(kExtendedL2) ? 16 : 8; }
    [[nodiscard]] u64 l2_entries() const { return cluster_size() / l2_entry_size(); }
    /// Bytes of the disk that one L2 table maps.
    [[nodiscard]] u64 l2_coverage() const { return l2_entries() << cluster_bits; }
    [[nodiscard]] u64 l1_entries_for(u64 disk_size) const {
        return disk_size / l2_coverage() + (disk_size % l2_coverage() != 0 ? 1 : 0);
    }
    [[nodiscard]] unsigned refcount_bits() const { return 1u << refcount_order; }
    [[nodiscard]] u64 refcounts_per_block() const { return cluster_size() * 8 / refcount_bits(); }
};

/// `head`: the first cluster of the file, or as much as there is. `name` is for the error.
[[nodiscard]] Result<Header> parse_header(std::span<const std::byte> head, const std::string &name);

/// Lays the whole header cluster out anew; fails if it does not fit.
[[nodiscard]] Result<std::vector<std::byte>> header_cluster(Header &, const std::string &name);
/// The known part of the fixed fields alone: within one sector, so that writing it is one step.
[[nodiscard]] std::vector<std::byte> header_fields(const Header &);

} // namespace tandem::machine::qcow2
