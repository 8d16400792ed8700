#include "jit/regions/register_pairs.h"

#include "ir/builder.h"
#include "ir/memory_op.h"

#include <gtest/gtest.h>

namespace tandem::jit {
namespace {

const u64 kPlain = ir::MemoryOp{}.pack();

void load(ir::Builder &b, u64 first, u64 second) {
    const auto value = b.LoadPair64(b.GetState64(0), kPlain);
    const auto other = b.Second();
    b.SetState64(value, first);
    b.SetState64(other, second);
}
void store(ir::Builder &b, u64 first, u64 second) {
    b.StorePair64(b.GetState64(8), b.GetState64(first), b.GetState64(second), kPlain);
}

template <typename Body>
std::set<u64> pairs_of(Body body) {
    Region region;
    ir::Builder b(region.blocks.emplace_back());
    body(b);
    b.Exit(0);
    return find_register_pairs(region);
}

TEST(RegisterPairs, LoadedAndStored) {
    const auto pairs = pairs_of([](ir::Builder &b) {
        store(b, 48, 56);
        load(b, 48, 56);
        load(b, 64, 72);
    });
    EXPECT_EQ(pairs, (std::set<u64>{48, 64}));
}

TEST(RegisterPairs, NotIfOneIsReadByItself) {
    EXPECT_TRUE(pairs_of([](ir::Builder &b) {
                    load(b, 48, 56);
                    store(b, 48, 56);
                    b.SetState64(b.Add64(b.GetState64(56), b.Const64(1)), 80);
                }).empty());
}

TEST(RegisterPairs, NotIfOneIsWrittenByItself) {
    EXPECT_TRUE(pairs_of([](ir::Builder &b) {
                    load(b, 48, 56);
                    b.SetState64(b.Const64(0), 56);
                }).empty());
}

TEST(RegisterPairs, NotIfStoredWithAnother) {
    EXPECT_TRUE(pairs_of([](ir::Builder &b) {
                    load(b, 48, 56);
                    store(b, 56, 48);
                }).empty());
}

TEST(RegisterPairs, NotIfApartOrLoadedInAnotherOrder) {
    EXPECT_TRUE(pairs_of([](ir::Builder &b) { load(b, 48, 72); }).empty());
    EXPECT_TRUE(pairs_of([](ir::Builder &b) {
                    load(b, 48, 56);
                    load(b, 56, 48);
                }).empty());
    EXPECT_TRUE(pairs_of([](ir::Builder &b) {
                    load(b, 48, 56);
                    load(b, 56, 64);
                }).empty());
}

TEST(RegisterPairs, NotIfAnAddressIsAmongThem) {
    EXPECT_TRUE(pairs_of([](ir::Builder &b) {
                    load(b, 0, 8);
                    store(b, 0, 8);
                }).empty());
}

} // namespace
} // namespace tandem::jit
