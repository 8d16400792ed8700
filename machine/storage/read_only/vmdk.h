#pragma once
/// VMware disk images: monolithic and split, sparse and flat, and stream-optimised ones (VMware
/// Virtual Disk Format 5.0).
#include "machine/storage/read_only/read_only_image.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tandem::machine {

class VmdkImage final : public ReadOnlyImage {
public:
    /// Opens a file that a descriptor names, by its name in the descriptor's folder.
    using OpenFile = std::function<Result<std::unique_ptr<ByteFile>>(const std::string &name)>;

    [[nodiscard]] static Result<std::unique_ptr<VmdkImage>> open(std::unique_ptr<ByteFile>,
                                                                 const OpenFile &);

private:
    /// Consecutive sectors of the disk. Sparse ones have a directory of tables of grains.
    struct DiskExtent {
        u64 begin = 0, end = 0;         ///< bytes of the disk
        std::unique_ptr<ByteFile> file; ///< null: zeros
        u64 flat_offset = 0;            ///< bytes, if it is not sparse
        bool is_sparse = false;
        bool is_compressed = false;
        bool has_zero_grains = false;
        u64 grain_bytes = 0;
        u32 table_entries = 0;
        std::vector<u32> directory; ///< sectors of tables
    };

    [[nodiscard]] Result<> add_sparse(std::unique_ptr<ByteFile>, u64 expected_sectors);
    [[nodiscard]] Result<> add(DiskExtent, u64 bytes);
    [[nodiscard]] Result<DiskPiece> locate(u64 offset, u64 length) override;
    [[nodiscard]] Result<std::vector<std::byte>> unpack(u64 key) override;
    /// The sector of a grain whose table is there.
    [[nodiscard]] static Result<u32> grain_of(const DiskExtent &, u64 grain);

    std::vector<DiskExtent> extents_; ///< in order, without gaps
};

} // namespace tandem::machine
