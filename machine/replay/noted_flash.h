#pragma once
/// A flash chip of a deterministic machine: notes which pages of it are changed.
#include "devices/backend/flash_storage.h"
#include "support/bits.h"

#include <utility>

namespace tandem::machine::replay {

class NotedFlash final : public devices::FlashStorage {
public:
    static constexpr u64 kPageSize = 4096;

    /// `host` outlives it.
    explicit NotedFlash(devices::FlashStorage &host)
        : host_(host), changed_((host.cells().size() / kPageSize + 63) / 64) {}

    std::span<std::byte> cells() override { return host_.cells(); }
    std::vector<Range> populated() override { return host_.populated(); }
    bool read_only() const override { return host_.read_only(); }
    bool persist(u64 offset, u64 length) override {
        if (length != 0)
            for (u64 page = offset / kPageSize; page <= (offset + length - 1) / kPageSize; ++page)
                changed_[page / 64] |= u64{1} << (page % 64);
        return host_.persist(offset, length);
    }
    /// A bit for each page, since the last call.
    [[nodiscard]] std::vector<u64> take_changed() {
        return std::exchange(changed_, std::vector<u64>(changed_.size()));
    }

private:
    devices::FlashStorage &host_;
    std::vector<u64> changed_;
};

} // namespace tandem::machine::replay
