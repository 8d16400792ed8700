#pragma once
/// Sends pages: zeros by number, the rest compressed where that is faster than sending them as they
/// are, which is measured as it goes.
#include "machine/move/channel.h"
#include "machine/snapshot/paged_region.h"

#include <memory>
#include <vector>

struct ZSTD_CCtx_s;

namespace tandem::machine::move {

class PageSender {
public:
    explicit PageSender(Channel &);
    PageSender(const PageSender &) = delete;
    PageSender &operator=(const PageSender &) = delete;
    ~PageSender();

    /// Some pages of a region, by number. They may be written meanwhile: then they are sent again.
    [[nodiscard]] Result<> send(u32 region, const snapshot::PagedRegion &,
                                std::span<const u64> pages);
    /// What is held back.
    [[nodiscard]] Result<> flush();

    [[nodiscard]] u64 pages() const { return pages_; }
    [[nodiscard]] u64 zero_pages() const { return zero_pages_; }
    [[nodiscard]] u64 packed_pages() const { return packed_pages_; }

private:
    /// Nanoseconds and a ratio, as they were lately.
    class Average {
    public:
        explicit Average(double start) : value_(start) {}
        void add(double value) { value_ += (value - value_) / kWeight; }
        [[nodiscard]] double value() const { return value_; }

    private:
        static constexpr double kWeight = 8;
        double value_;
    };

    [[nodiscard]] Result<> flush_zeros();
    [[nodiscard]] bool compression_pays() const;
    [[nodiscard]] std::span<const std::byte> compress(std::span<const std::byte> pages);

    Channel &channel_;
    std::unique_ptr<ZSTD_CCtx_s, void (*)(ZSTD_CCtx_s *)> compressor_;
    u32 region_ = 0; ///< of what is held back
    std::vector<u64> numbers_, zeros_;
    std::vector<std::byte> bytes_, packed_, frame_;
    Average pack_ns_, packed_size_; ///< for each byte of pages
    Average send_ns_;               ///< for each byte on the wire
    u64 frames_ = 0;
    u64 pages_ = 0, zero_pages_ = 0, packed_pages_ = 0;
};

} // namespace tandem::machine::move
