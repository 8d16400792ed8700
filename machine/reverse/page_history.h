#pragma once
/// What a memory held at several moments. A page that is the same at two of them is kept once.
#include "support/bits.h"
#include "support/result.h"

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace tandem::machine::reverse {

inline constexpr std::size_t kPageSize = 4096;

/// RAM, flash, or what a guest changed on a disk. Stands still while it is looked at.
class PagedMemory {
public:
    virtual ~PagedMemory() = default;
    [[nodiscard]] virtual u64 page_count() const = 0;
    /// Sets a bit for each page that may have been written since the last call, the first time for
    /// each that may hold anything.
    virtual void collect_written(std::span<u64> pages) = 0;
    /// The bytes of a page, which may be put into the buffer; null: it holds nothing.
    [[nodiscard]] virtual Result<const std::byte *> page(u64 index,
                                                         std::span<std::byte, kPageSize>) = 0;
    [[nodiscard]] virtual Result<> set_page(u64 index, const std::byte *bytes) = 0;
};

class KeptPage {
public:
    /// `count` is of all that there are.
    KeptPage(u64 &count, const std::byte *bytes);
    ~KeptPage() { --count_; }
    KeptPage(const KeptPage &) = delete;
    KeptPage &operator=(const KeptPage &) = delete;

    [[nodiscard]] const std::byte *bytes() const { return bytes_.data(); }

private:
    u64 &count_;
    std::array<std::byte, kPageSize> bytes_;
};
using PageRef = std::shared_ptr<const KeptPage>; ///< null: a page that holds nothing

/// All pages at one moment. A copy costs a pointer for each kPagesPerLeaf pages.
class PageTable {
public:
    explicit PageTable(u64 pages) : leaves_((pages + kPagesPerLeaf - 1) / kPagesPerLeaf) {}

    [[nodiscard]] const std::byte *bytes(u64 page) const;
    void set(u64 page, PageRef);
    /// Pages that hold something.
    [[nodiscard]] u64 count() const { return count_; }
    /// Calls f(page, bytes) for each of them.
    template <typename F>
    void for_each(F f) const {
        for (std::size_t i = 0; i < leaves_.size(); ++i)
            for (u64 j = 0; leaves_[i] != nullptr && j < kPagesPerLeaf; ++j)
                if (const PageRef &page = (*leaves_[i])[j]; page != nullptr)
                    f(i * kPagesPerLeaf + j, page->bytes());
    }
    /// Sets a bit for each page that the other has another one for.
    void add_differences(const PageTable &other, std::span<u64> pages) const;

private:
    static constexpr u64 kPagesPerLeaf = 512;
    using Leaf = std::array<PageRef, kPagesPerLeaf>;

    [[nodiscard]] PageRef at(u64 page) const;

    std::vector<std::shared_ptr<Leaf>> leaves_; ///< null: nothing in any of its pages
    u64 count_ = 0;
};

class PageHistory {
public:
    /// `kept`: of all histories together; it outlives them and what they gave out.
    PageHistory(u64 pages, u64 &kept) : kept_(&kept), page_count_(pages), present_(pages) {}

    /// What the memory holds now.
    [[nodiscard]] Result<PageTable> take(PagedMemory &);
    /// Makes the memory what it was then.
    [[nodiscard]] Result<> bring_back(PagedMemory &, const PageTable &then);
    /// As it was last taken or brought back.
    [[nodiscard]] const PageTable &present() const { return present_; }
    /// The memory is another one from now on.
    void forget() { is_known_ = false; }

private:
    [[nodiscard]] std::vector<u64> collect(PagedMemory &);

    u64 *kept_;
    u64 page_count_;
    PageTable present_; ///< but for what has been written since
    bool is_known_ = true;
};

/// Calls f(page) for each bit, until it fails.
template <typename F>
[[nodiscard]] Result<> for_each_bit(std::span<const u64> words, F f) {
    for (std::size_t i = 0; i < words.size(); ++i)
        for (u64 word = words[i]; word != 0; word &= word - 1)
            TRY(f(i * 64 + static_cast<u64>(std::countr_zero(word))));
    return {};
}

} // namespace tandem::machine::reverse
