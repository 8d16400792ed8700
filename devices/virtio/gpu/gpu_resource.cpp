#include "devices/virtio/gpu/gpu_resource.h"

#include <algorithm>
#include <iterator>

namespace tandem::devices {

namespace {

/// Reads the backing forwards, piece by piece.
class BackingReader {
public:
    BackingReader(DmaSpace &memory, std::span<const GpuResource::Piece> pieces)
        : memory_(memory), pieces_(pieces) {}

    /// `offset` is not before the end of the last read.
    [[nodiscard]] bool read(u64 offset, std::span<std::byte> target) {
        while (!target.empty()) {
            while (piece_ < pieces_.size() && offset - start_ >= pieces_[piece_].length)
                start_ += pieces_[piece_++].length;
            if (piece_ == pieces_.size()) return false;
            const u64 within = offset - start_;
            const std::size_t count = std::min<u64>(target.size(), pieces_[piece_].length - within);
            if (!memory_.read(GuestPhysAddr(pieces_[piece_].address + within), target.first(count)))
                return false;
            target = target.subspan(count);
            offset += count;
        }
        return true;
    }

private:
    DmaSpace &memory_;
    std::span<const GpuResource::Piece> pieces_;
    std::size_t piece_ = 0;
    u64 start_ = 0; ///< of that piece within the backing
};

} // namespace

std::optional<PixelFormat> gpu_format(u32 number) {
    const auto *row = std::ranges::find(virtio_gpu::kFormats, number,
                                        [](const auto &each) { return each.first; });
    return row != std::end(virtio_gpu::kFormats) ? std::optional(row->second) : std::nullopt;
}

bool lies_within(const virtio_gpu::Rectangle &rectangle, u32 width, u32 height) {
    return rectangle.width != 0 && rectangle.height != 0 && rectangle.x <= width &&
           rectangle.width <= width - rectangle.x && rectangle.y <= height &&
           rectangle.height <= height - rectangle.y;
}

u64 GpuResource::bytes_of(u32 format, u32 width, u32 height) {
    const u64 row = u64{width} * PixelFormat::kBytes;
    if (!gpu_format(format).has_value() || row == 0 || row > kMaxBytes) return 0;
    const u64 bytes = row * height; // below 2^26 * 2^32
    return bytes <= kMaxBytes ? bytes : 0;
}

PixelRows GpuResource::rows_from(u32 x, u32 y) const {
    return {.bytes = std::as_bytes(std::span(pixels))
                         .subspan(y * stride() + std::size_t{x} * PixelFormat::kBytes),
            .stride = stride(),
            .format = gpu_format(format).value_or(PixelFormat{})};
}

bool GpuResource::fill(DmaSpace &memory, const virtio_gpu::Rectangle &rectangle, u64 offset) {
    BackingReader reader(memory, backing);
    const auto all = std::as_writable_bytes(std::span(pixels));
    // A sum that wraps ends beyond the backing, too.
    if (offset > kMaxBytes) return false;
    if (rectangle.width == width)
        return reader.read(offset,
                           all.subspan(rectangle.y * stride(), rectangle.height * stride()));
    const std::size_t bytes = std::size_t{rectangle.width} * PixelFormat::kBytes;
    for (u32 row = 0; row < rectangle.height; ++row) {
        const std::size_t to =
            (rectangle.y + row) * stride() + std::size_t{rectangle.x} * PixelFormat::kBytes;
        if (!reader.read(offset + row * stride(), all.subspan(to, bytes))) return false;
    }
    return true;
}

} // namespace tandem::devices
