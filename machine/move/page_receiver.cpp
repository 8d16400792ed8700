#include "machine/move/page_receiver.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine::move {
namespace {

std::unexpected<Error> damaged(const char *what) {
    return failure(std::string("what arrives is damaged: ") + what +
                   "; check the connection, and use the same Tandem and machine on both sides");
}

std::unexpected<Error> no_room() {
    return failure("no room for what the guest changed on its disks; set TMPDIR to a folder with "
                   "room");
}

void free_decompressor(ZSTD_DCtx_s *context) {
    ::ZSTD_freeDCtx(context);
}

} // namespace

PageReceiver::PageReceiver(std::vector<std::unique_ptr<PageSink>> sinks)
    : sinks_(std::move(sinks)), decompressor_(::ZSTD_createDCtx(), &free_decompressor),
      pages_(kPagesPerFrame * kPageSize) {}

PageReceiver::~PageReceiver() = default;

Result<PageReceiver::Parts> PageReceiver::parse(std::span<const std::byte> payload,
                                                u32 most) const {
    Parts parts;
    if (payload.size() < sizeof parts.header) return damaged("a frame of pages is too short");
    std::memcpy(&parts.header, payload.data(), sizeof parts.header);
    payload = payload.subspan(sizeof parts.header);
    if (parts.header.region >= sinks_.size()) return damaged("pages of no region");
    if (parts.header.count == 0 || parts.header.count > most)
        return damaged("a frame of too many pages");
    if (payload.size() / sizeof(u64) < parts.header.count)
        return damaged("a frame of pages is too short");
    parts.sink = sinks_[parts.header.region].get();
    parts.numbers.resize(parts.header.count);
    std::memcpy(parts.numbers.data(), payload.data(), parts.numbers.size() * sizeof(u64));
    if (std::ranges::max(parts.numbers) >= parts.sink->page_count())
        return damaged("a page beyond the end");
    parts.rest = payload.subspan(parts.numbers.size() * sizeof(u64));
    return parts;
}

Result<> PageReceiver::take_pages(std::span<const std::byte> payload) {
    const Parts parts = TRY(parse(payload, kPagesPerFrame));
    const std::size_t size = parts.numbers.size() * kPageSize;
    std::span<const std::byte> pages = parts.rest;
    if (parts.header.encoding == PageEncoding::Zstd) {
        if (::ZSTD_decompressDCtx(decompressor_.get(), pages_.data(), size, pages.data(),
                                  pages.size()) != size)
            return damaged("pages cannot be unpacked");
        pages = std::span(pages_).first(size);
    } else if (parts.header.encoding != PageEncoding::Raw || pages.size() != size) {
        return damaged("pages of another length");
    }
    for (std::size_t i = 0; i < parts.numbers.size(); ++i)
        if (!parts.sink->put(parts.numbers[i], pages.subspan(i * kPageSize).first<kPageSize>()))
            return no_room();
    return {};
}

Result<> PageReceiver::take_zero_pages(std::span<const std::byte> payload) {
    const Parts parts = TRY(parse(payload, kZeroPagesPerFrame));
    if (!parts.rest.empty()) return damaged("a frame of pages is too long");
    for (const u64 page : parts.numbers)
        if (!parts.sink->put_zero(page)) return no_room();
    return {};
}

} // namespace tandem::machine::move
