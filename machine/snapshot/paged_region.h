#pragma once
/// What a snapshot is to keep by pages.
#include "machine/snapshot/format.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tandem::machine::snapshot {

struct PageRange {
    u64 first = 0, count = 0;
};

/// Stands still while it is saved.
class PagedRegion {
public:
    virtual ~PagedRegion() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual u64 page_count() const = 0;
    /// The pages to look at, in order.
    [[nodiscard]] virtual std::vector<PageRange> ranges() const = 0;
    /// What all other pages are: kPageZero or kPageAbsent.
    [[nodiscard]] virtual u32 elsewhere() const = 0;
    /// The only pages that may differ from what was saved last, a bit for each; empty: all may.
    [[nodiscard]] virtual std::span<const u64> changed() const { return {}; }
    /// The bytes of a page, or null if they cannot be read. They may be put into the buffer. Any
    /// thread.
    [[nodiscard]] virtual const std::byte *page(u64 index,
                                                std::span<std::byte, kPageSize> buffer) const = 0;
};

/// A region that is memory, and zero elsewhere.
class MemoryRegion final : public PagedRegion {
public:
    MemoryRegion(std::string name, std::span<const std::byte> bytes, std::vector<PageRange> ranges,
                 std::span<const u64> changed = {})
        : name_(std::move(name)), bytes_(bytes), ranges_(std::move(ranges)), changed_(changed) {}
    std::string name() const override { return name_; }
    u64 page_count() const override { return bytes_.size() / kPageSize; }
    std::vector<PageRange> ranges() const override { return ranges_; }
    u32 elsewhere() const override { return kPageZero; }
    std::span<const u64> changed() const override { return changed_; }
    const std::byte *page(u64 index, std::span<std::byte, kPageSize>) const override {
        return bytes_.data() + index * kPageSize;
    }

private:
    std::string name_;
    std::span<const std::byte> bytes_;
    std::vector<PageRange> ranges_;
    std::span<const u64> changed_;
};

} // namespace tandem::machine::snapshot
