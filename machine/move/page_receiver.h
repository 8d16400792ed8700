#pragma once
/// Takes frames of pages apart, which may say anything, and puts the pages where they belong.
#include "machine/move/format.h"
#include "support/result.h"

#include <memory>
#include <vector>

struct ZSTD_DCtx_s;

namespace tandem::machine::move {

/// Where pages of a region arrive. False: the host has no room for them.
class PageSink {
public:
    virtual ~PageSink() = default;
    [[nodiscard]] virtual u64 page_count() const = 0;
    [[nodiscard]] virtual bool put(u64 page, std::span<const std::byte, kPageSize>) = 0;
    [[nodiscard]] virtual bool put_zero(u64 page) = 0;
};

class PageReceiver {
public:
    /// By number of the region.
    explicit PageReceiver(std::vector<std::unique_ptr<PageSink>> sinks);
    ~PageReceiver();

    [[nodiscard]] Result<> take_pages(std::span<const std::byte> payload);
    [[nodiscard]] Result<> take_zero_pages(std::span<const std::byte> payload);

private:
    struct Parts {
        PageHeader header;
        PageSink *sink = nullptr;
        std::vector<u64> numbers;
        std::span<const std::byte> rest;
    };
    [[nodiscard]] Result<Parts> parse(std::span<const std::byte> payload, u32 most) const;

    std::vector<std::unique_ptr<PageSink>> sinks_;
    std::unique_ptr<ZSTD_DCtx_s, void (*)(ZSTD_DCtx_s *)> decompressor_;
    std::vector<std::byte> pages_;
};

} // namespace tandem::machine::move
