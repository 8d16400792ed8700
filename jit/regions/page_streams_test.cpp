#include "jit/regions/page_streams.h"

#include "ir/builder.h"
#include "ir/memory_op.h"

#include <gtest/gtest.h>

namespace tandem::jit {
namespace {

const u64 kPlain = ir::MemoryOp{}.pack();

/// A loop of one block, which `body` fills.
template <typename Body>
PageStreams streams_of_loop(Body body, bool has_barrier = false) {
    Region region;
    ir::Block &block = region.blocks.emplace_back();
    ir::Builder b(block);
    b.Insn(ir::insn_imm(0, 0));
    body(b);
    b.Exit(0);
    region.entries = {0};
    const std::array<u32, 1> order{0};
    return find_page_streams(region, {{0}}, order, {has_barrier});
}

TEST(PageStreams, AStepAndAnUnchangedBaseMakeOne) {
    const PageStreams streams = streams_of_loop([](ir::Builder &b) {
        const auto x0 = b.GetState64(0);
        const auto loaded = b.Load64(x0, kPlain);
        b.Store32(b.GetState64(8), loaded, kPlain);
        b.SetState64(b.Add64(x0, b.Const64(8)), 0);
    });
    EXPECT_EQ(streams.count, 2u);
    EXPECT_EQ(streams.of_access.size(), 2u);
    EXPECT_EQ(streams.span[0], 8u);
    EXPECT_EQ(streams.span[1], 4u);
}

TEST(PageStreams, OneForAllAccessesByARegister) {
    const PageStreams streams = streams_of_loop([](ir::Builder &b) {
        const auto x0 = b.GetState64(0);
        static_cast<void>(b.Load64(x0, kPlain));
        static_cast<void>(b.Load8(b.Add64(x0, b.Const64(300)), kPlain));
        b.SetState64(b.Sub64(x0, b.Const64(16)), 0);
    });
    EXPECT_EQ(streams.count, 1u);
    EXPECT_EQ(streams.of_access.size(), 2u);
}

TEST(PageStreams, NoneThatJumps) {
    const PageStreams streams = streams_of_loop([](ir::Builder &b) {
        const auto pointer = b.Load64(b.GetState64(0), kPlain); // of a list
        b.SetState64(pointer, 0);
        static_cast<void>(b.Load64(b.GetState64(8), kPlain)); // a column
        b.SetState64(b.Add64(b.GetState64(8), b.Const64(4096)), 8);
        static_cast<void>(b.Load64(b.GetState64(16), kPlain)); // by a step that nobody knows
        b.SetState64(b.Add64(b.GetState64(16), b.GetState64(24)), 16);
    });
    EXPECT_EQ(streams.count, 0u);
    EXPECT_TRUE(streams.of_access.empty());
}

TEST(PageStreams, WhatIsSetBackToItsStartMakesOne) {
    const PageStreams streams = streams_of_loop([](ir::Builder &b) {
        static_cast<void>(b.Load64(b.GetState64(0), kPlain));
        b.SetState64(b.Add64(b.GetState64(0), b.Const64(8)), 0);
        b.SetState64(b.Add64(b.GetState64(8), b.Const64(0x438)), 0);
    });
    EXPECT_EQ(streams.count, 1u);
}

TEST(PageStreams, ATableIsOneIfItIsSmall) {
    const auto look_up = [](u64 mask) {
        return streams_of_loop([&](ir::Builder &b) {
            const auto index = b.And64(b.GetState64(8), b.Const64(mask));
            const auto entry =
                b.Load32(b.Add64(b.GetState64(0), b.Shl64(index, b.Const64(2))), kPlain);
            b.SetState64(entry, 8);
        });
    };
    EXPECT_EQ(look_up(0xff).count, 1u);
    EXPECT_EQ(look_up(0xffff).count, 0u);
}

TEST(PageStreams, StepsOf32Bits) {
    const PageStreams streams = streams_of_loop([](ir::Builder &b) {
        const auto index = b.Add32(b.Low32(b.GetState64(8)), b.Const32(0xffff'ffff));
        b.SetState64(b.ZeroExtend32(index), 8);
        static_cast<void>(b.Load8(b.Add64(b.GetState64(0), b.ZeroExtend32(index)), kPlain));
    });
    EXPECT_EQ(streams.count, 1u);
}

TEST(PageStreams, NoneWhereAHelperMayChangeTheMapping) {
    const auto load = [](ir::Builder &b) { static_cast<void>(b.Load8(b.GetState64(0), kPlain)); };
    EXPECT_EQ(streams_of_loop(load).count, 1u);
    EXPECT_EQ(streams_of_loop(load, true).count, 0u);
}

TEST(PageStreams, NoMoreThanTheLimit) {
    const PageStreams streams = streams_of_loop([](ir::Builder &b) {
        for (u64 i = 0; i < 12; ++i) static_cast<void>(b.Load8(b.GetState64(i * 8), kPlain));
    });
    EXPECT_EQ(streams.count, PageStreams::kMaxStreams);
    EXPECT_EQ(streams.of_access.size(), PageStreams::kMaxStreams);
}

TEST(PageStreams, NoneThatMustBeAligned) {
    ir::MemoryOp op;
    op.alignment = ir::Alignment::Natural;
    const PageStreams streams = streams_of_loop(
        [&](ir::Builder &b) { static_cast<void>(b.Load64(b.GetState64(0), op.pack())); });
    EXPECT_EQ(streams.count, 0u);
}

TEST(PageStreams, NoneOutsideLoops) {
    Region region;
    ir::Block &block = region.blocks.emplace_back();
    ir::Builder b(block);
    static_cast<void>(b.Load8(b.GetState64(0), kPlain));
    b.Exit(64);
    const std::array<u32, 1> order{0};
    EXPECT_EQ(find_page_streams(region, {{}}, order, {false}).count, 0u);
}

} // namespace
} // namespace tandem::jit
