#include "machine/move/page_sender.h"

#include "machine/host/monotonic.h"
#include "support/zeros.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine::move {
namespace {

constexpr int kLevel = 1;
/// One of so many frames goes the other way, so that the figures of both stay true.
constexpr u64 kProbe = 32;

void free_compressor(ZSTD_CCtx_s *context) {
    ::ZSTD_freeCCtx(context);
}

std::span<const std::byte> as_bytes(std::span<const u64> numbers) {
    return std::as_bytes(numbers);
}

void append(std::vector<std::byte> &frame, std::span<const std::byte> bytes) {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
}

} // namespace

PageSender::PageSender(Channel &channel)
    : channel_(channel), compressor_(::ZSTD_createCCtx(), &free_compressor), pack_ns_(1),
      packed_size_(0.4), send_ns_(1) {
    packed_.resize(::ZSTD_compressBound(kPagesPerFrame * kPageSize));
}

PageSender::~PageSender() = default;

bool PageSender::compression_pays() const {
    const bool pays = pack_ns_.value() + packed_size_.value() * send_ns_.value() < send_ns_.value();
    return frames_ % kProbe == kProbe - 1 ? !pays : pays;
}

std::span<const std::byte> PageSender::compress(std::span<const std::byte> pages) {
    const u64 began = monotonic_ns();
    const std::size_t size = ::ZSTD_compressCCtx(compressor_.get(), packed_.data(), packed_.size(),
                                                 pages.data(), pages.size(), kLevel);
    if (::ZSTD_isError(size) != 0 || size >= pages.size()) {
        packed_size_.add(1);
        return {};
    }
    const auto bytes = static_cast<double>(pages.size());
    pack_ns_.add(static_cast<double>(monotonic_ns() - began) / bytes);
    packed_size_.add(static_cast<double>(size) / bytes);
    return std::span(packed_).first(size);
}

Result<> PageSender::send(u32 region, const snapshot::PagedRegion &source,
                          std::span<const u64> pages) {
    if (region != region_) {
        TRY(flush());
        region_ = region;
    }
    alignas(64) std::array<std::byte, kPageSize> buffer;
    for (const u64 page : pages) {
        const std::byte *bytes = source.page(page, buffer);
        if (bytes == nullptr)
            return failure("a disk's changes cannot be read; check the disk under TMPDIR");
        // A copy, as the guest may be writing: its checksum must be that of what is sent.
        const std::size_t at = bytes_.size();
        bytes_.resize(at + kPageSize);
        std::memcpy(bytes_.data() + at, bytes, kPageSize);
        if (is_zero(std::span(bytes_).subspan(at))) {
            bytes_.resize(at);
            zeros_.push_back(page);
            if (zeros_.size() == kZeroPagesPerFrame) TRY(flush_zeros());
        } else {
            numbers_.push_back(page);
            if (numbers_.size() == kPagesPerFrame) TRY(flush());
        }
    }
    return {};
}

Result<> PageSender::flush_zeros() {
    if (zeros_.empty()) return {};
    const PageHeader header{.region = region_, .count = static_cast<u32>(zeros_.size())};
    frame_.clear();
    append(frame_, std::as_bytes(std::span(&header, 1)));
    append(frame_, as_bytes(zeros_));
    TRY(channel_.send(FrameKind::ZeroPages, frame_));
    zero_pages_ += zeros_.size();
    zeros_.clear();
    return {};
}

Result<> PageSender::flush() {
    TRY(flush_zeros());
    if (numbers_.empty()) return {};
    std::span<const std::byte> packed;
    if (compression_pays()) packed = compress(bytes_);
    ++frames_;
    const PageHeader header{.region = region_,
                            .count = static_cast<u32>(numbers_.size()),
                            .encoding = packed.empty() ? PageEncoding::Raw : PageEncoding::Zstd};
    frame_.clear();
    append(frame_, std::as_bytes(std::span(&header, 1)));
    append(frame_, as_bytes(numbers_));
    append(frame_, packed.empty() ? std::span<const std::byte>(bytes_) : packed);
    const u64 began = monotonic_ns();
    TRY(channel_.send(FrameKind::Pages, frame_));
    send_ns_.add(static_cast<double>(monotonic_ns() - began) / static_cast<double>(frame_.size()));
    pages_ += numbers_.size();
    if (!packed.empty()) packed_pages_ += numbers_.size();
    numbers_.clear();
    bytes_.clear();
    return {};
}

} // namespace tandem::machine::move
