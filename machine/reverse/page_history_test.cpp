/// Moments of a memory, in any order.
#include "machine/reverse/page_history.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>

namespace tandem::machine::reverse {
namespace {

class FakeMemory final : public PagedMemory {
public:
    using Content = std::vector<std::optional<std::array<std::byte, kPageSize>>>;

    explicit FakeMemory(u64 pages) : content(pages), written_((pages + 63) / 64) {}
    u64 page_count() const override { return content.size(); }
    void collect_written(std::span<u64> pages) override {
        for (std::size_t i = 0; i < pages.size(); ++i) pages[i] |= std::exchange(written_[i], 0);
    }
    Result<const std::byte *> page(u64 index, std::span<std::byte, kPageSize>) override {
        return content[index].has_value() ? content[index]->data() : nullptr;
    }
    Result<> set_page(u64 index, const std::byte *bytes) override {
        if (bytes == nullptr)
            content[index].reset();
        else
            std::memcpy(content[index].emplace().data(), bytes, kPageSize);
        ++set;
        return {};
    }
    void write(u64 index, std::byte value) {
        content[index].emplace().fill(value);
        written_[index / 64] |= u64{1} << (index % 64);
    }

    Content content;
    unsigned set = 0;

private:
    std::vector<u64> written_;
};

TEST(PageHistory, EachMomentComesBackInAnyOrder) {
    static constexpr u64 kPages = 1300; // the last leaf is not full
    std::mt19937_64 random{11};
    u64 kept = 0;
    {
        FakeMemory memory(kPages);
        PageHistory history(kPages, kept);
        std::vector<PageTable> moments;
        std::vector<FakeMemory::Content> expected;
        const auto write_some = [&] {
            for (unsigned i = 0; i < 30; ++i)
                memory.write(random() % kPages, static_cast<std::byte>(random()));
        };
        for (unsigned i = 0; i < 40; ++i) {
            moments.push_back(history.take(memory).value());
            expected.push_back(memory.content);
            write_some();
        }
        EXPECT_LE(kept, 40u * 30);
        for (unsigned i = 0; i < 200; ++i) {
            const std::size_t chosen = random() % moments.size();
            ASSERT_TRUE(history.bring_back(memory, moments[chosen]).has_value());
            ASSERT_EQ(memory.content, expected[chosen]);
            if (i % 3 == 0) write_some();
        }
        // Another memory, of which nothing is known but that it is empty.
        memory.content.assign(kPages, std::nullopt);
        history.forget();
        ASSERT_TRUE(history.bring_back(memory, moments[17]).has_value());
        EXPECT_EQ(memory.content, expected[17]);
    }
    EXPECT_EQ(kept, 0u) << "pages that nobody refers to go";
}

TEST(PageHistory, LooksAtNothingElseThanWhatWasWritten) {
    u64 kept = 0;
    FakeMemory memory(1000);
    PageHistory history(1000, kept);
    for (u64 page = 0; page < 1000; ++page) memory.write(page, std::byte{1});
    const PageTable before = history.take(memory).value();
    EXPECT_EQ(kept, 1000u);
    memory.write(70, std::byte{2});
    memory.write(71, std::byte{1}); // the same again
    const PageTable after = history.take(memory).value();
    EXPECT_EQ(kept, 1001u);
    ASSERT_TRUE(history.bring_back(memory, before).has_value());
    EXPECT_EQ(memory.set, 1u);
    EXPECT_EQ(before.bytes(71), after.bytes(71));
}

} // namespace
} // namespace tandem::machine::reverse
