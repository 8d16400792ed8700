#pragma once
/// Hyper-V disk images: fixed and dynamic VHDX ([MS-VHDX]).
#include "machine/storage/read_only/read_only_image.h"

#include <memory>

namespace tandem::machine {

/// Of a header or a table of regions ([MS-VHDX] 2.2.2): CRC-32C, with bytes 4 to 7 as zeros.
[[nodiscard]] u32 vhdx_checksum(std::span<const std::byte>);

class VhdxImage final : public ReadOnlyImage {
public:
    [[nodiscard]] static Result<std::unique_ptr<VhdxImage>> open(std::unique_ptr<ByteFile>);

private:
    explicit VhdxImage(std::unique_ptr<ByteFile> file) : file_(std::move(file)) {}

    struct Region {
        u64 offset = 0;
        u32 length = 0;
    };
    [[nodiscard]] Result<> check_headers();
    [[nodiscard]] Result<> load_regions();
    [[nodiscard]] Result<> load_metadata();
    [[nodiscard]] Result<DiskPiece> locate(u64 offset, u64 length) override;
    [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const;

    std::unique_ptr<ByteFile> file_;
    Region block_table_, metadata_;
    u64 block_bytes_ = 0;
    u64 chunk_blocks_ = 0; ///< blocks between two entries for sector bitmaps
};

} // namespace tandem::machine
