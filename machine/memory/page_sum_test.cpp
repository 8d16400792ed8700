#include "machine/memory/page_sum.h"

#include <gtest/gtest.h>

#include <array>

namespace tandem::machine {
namespace {

using Page = std::array<std::byte, PageSum::kPageSize>;

TEST(PageSum, DependsOnTheBytesAlone) {
    Page zeros{}, some{}, other{};
    some[17] = std::byte{1};
    other[4095] = std::byte{2};
    PageSum one(8), two(8);
    one.set(3, some);
    one.set(5, other);
    two.set(7, some);
    two.set(5, other);
    two.set(3, other);
    EXPECT_NE(one.value(), two.value());
    two.set(7, zeros);
    two.set(3, some);
    EXPECT_EQ(one.value(), two.value());
    one.set(3, other);
    one.set(5, some);
    EXPECT_NE(one.value(), two.value()) << "the same pages elsewhere";
    for (const u64 page : {u64{3}, u64{5}}) one.set(page, zeros);
    EXPECT_EQ(one.value(), 0u);
}

} // namespace
} // namespace tandem::machine
