#pragma once
/// A picture in the host's memory that the driver makes, fills from its own and shows.
#include "devices/core/dma_space.h"
#include "devices/core/state.h"
#include "devices/virtio/gpu/gpu_config.h"

#include <optional>
#include <vector>

namespace tandem::devices {

/// The format of that number; nothing if there is none.
[[nodiscard]] std::optional<PixelFormat> gpu_format(u32 number);

/// Whether it has pixels, and lies within a picture of this size.
[[nodiscard]] bool lies_within(const virtio_gpu::Rectangle &, u32 width, u32 height);

struct GpuResource {
    /// Guest memory that it is filled from.
    struct Piece {
        u64 address = 0;
        u32 length = 0;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.address, self.length);
        }
    };
    static constexpr u64 kMaxBytes = u64{64} << 20; ///< 4096 x 4096
    static constexpr u32 kMaxPieces = 16384;

    u32 id = 0, format = 0, width = 0, height = 0;
    std::vector<Piece> backing;
    std::vector<u8> pixels; ///< rows without gaps

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.id, self.format, self.width, self.height, self.backing, self.pixels);
    }

    /// Of pixels; 0 if there cannot be such a picture.
    [[nodiscard]] static u64 bytes_of(u32 format, u32 width, u32 height);
    [[nodiscard]] std::size_t stride() const { return std::size_t{width} * PixelFormat::kBytes; }
    /// From this place on; it lies within.
    [[nodiscard]] PixelRows rows_from(u32 x, u32 y) const;
    /// Copies a rectangle, which lies within, from byte `offset` of the backing, where rows are as
    /// far apart as here. False if some of it is not there, or no memory of the guest's.
    [[nodiscard]] bool fill(DmaSpace &, const virtio_gpu::Rectangle &, u64 offset);
};

} // namespace tandem::devices
