#pragma once
/// A flash chip of a deterministic machine: notes which pages of it are changed, and has a hash.
#include "devices/backend/flash_storage.h"
#include "machine/memory/page_sum.h"
#include "support/bits.h"

#include <bit>
#include <utility>

namespace tandem::machine::replay {

class NotedFlash final : public devices::FlashStorage {
public:
    static constexpr u64 kPageSize = 4096;

    /// `host` outlives it.
    explicit NotedFlash(devices::FlashStorage &host)
        : host_(host), changed_((host.cells().size() / kPageSize + 63) / 64),
          unhashed_(changed_.size()), sum_(host.cells().size() / kPageSize) {
        for (const auto &[offset, length] : host.populated())
            if (length != 0) note(unhashed_, offset, length);
    }

    std::span<std::byte> cells() override { return host_.cells(); }
    std::vector<Range> populated() override { return host_.populated(); }
    bool read_only() const override { return host_.read_only(); }
    bool persist(u64 offset, u64 length) override {
        if (length != 0) note(changed_, offset, length);
        if (length != 0) note(unhashed_, offset, length);
        return host_.persist(offset, length);
    }
    /// Its cells are what they were at another moment.
    void was_set(u64 page) { note(unhashed_, page * kPageSize, kPageSize); }
    /// A bit for each page, since the last call.
    [[nodiscard]] std::vector<u64> take_changed() {
        return std::exchange(changed_, std::vector<u64>(changed_.size()));
    }

    /// Of the cells.
    [[nodiscard]] u64 hash() {
        for (std::size_t i = 0; i < unhashed_.size(); ++i)
            for (u64 word = std::exchange(unhashed_[i], 0); word != 0; word &= word - 1) {
                const u64 page = i * 64 + static_cast<u64>(std::countr_zero(word));
                sum_.set(page, cells().subspan(page * kPageSize).first<kPageSize>());
            }
        return sum_.value();
    }

private:
    static void note(std::vector<u64> &pages, u64 offset, u64 length) {
        for (u64 page = offset / kPageSize; page <= (offset + length - 1) / kPageSize; ++page)
            pages[page / 64] |= u64{1} << (page % 64);
    }

    devices::FlashStorage &host_;
    std::vector<u64> changed_, unhashed_;
    PageSum sum_;
};

} // namespace tandem::machine::replay
