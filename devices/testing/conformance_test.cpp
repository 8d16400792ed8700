/// What every device must do, whatever it is.
#include "devices/testing/specimen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tandem::devices::testing {
namespace {

class Conformance : public ::testing::TestWithParam<SpecimenKind> {
protected:
    [[nodiscard]] std::unique_ptr<Specimen> make() const { return GetParam().create(); }

    /// A specimen that has seen random accesses.
    [[nodiscard]] std::unique_ptr<Specimen> make_used(u32 seed) const {
        auto specimen = make();
        specimen->start();
        scribble(*specimen, seed);
        return specimen;
    }

    static void scribble(Specimen &specimen, u32 seed) {
        std::mt19937 random(seed);
        std::vector<u8> script(20000);
        for (u8 &byte : script) byte = static_cast<u8>(random());
        run_script(specimen, script);
    }
};

TEST_P(Conformance, IsNamedAndDescribed) {
    const auto specimen = make();
    EXPECT_FALSE(specimen->device().name().empty());
    EXPECT_GT(specimen->device().size(), 0u);
    FakeFdtNode root;
    specimen->device().describe(root, {.base = GuestPhysAddr(0x9000000), .spi = 1});
}

TEST_P(Conformance, EveryWidthEverywhereIsHarmless) {
    const auto specimen = make();
    for (MmioDevice *device : {&specimen->device(), specimen->second_frame()}) {
        if (device == nullptr) continue;
        const u64 end = std::min<u64>(device->size(), 0x20000);
        for (unsigned size_log2 = 0; size_log2 <= 3; ++size_log2) {
            for (u64 offset = 0; offset + (1u << size_log2) <= end; offset += 1u << size_log2) {
                u64 value = ~u64{0};
                ASSERT_TRUE(device->read(offset, size_log2, value));
                ASSERT_EQ(value & ~ones(8u << size_log2), 0u) << "not zero-extended at " << offset;
            }
            for (u64 offset = 0; offset + (1u << size_log2) <= end; offset += 1u << size_log2)
                ASSERT_TRUE(device->write(offset, size_log2, ones(8u << size_log2)));
        }
    }
}

TEST_P(Conformance, ResetForgetsEverything) {
    if (GetParam().survives_reset) GTEST_SKIP() << "keeps the time";
    const auto fresh = make();
    fresh->device().reset();
    const auto expected = saved_state(fresh->device());
    for (u32 seed = 0; seed < 4; ++seed) {
        const auto used = make();
        used->start();
        // Accesses only: what comes from outside (wires, input) may well outlive a reset.
        std::mt19937 random(seed);
        for (int i = 0; i < 5000; ++i) {
            const unsigned size_log2 = static_cast<unsigned>(random() & 3);
            const u64 offset = align_down(random() % used->device().size(), 1u << size_log2);
            if (offset + (1u << size_log2) <= used->device().size())
                static_cast<void>(
                    used->device().write(offset, size_log2, random() & ones(8u << size_log2)));
        }
        used->device().reset();
        EXPECT_FALSE(used->irq.level());
        EXPECT_EQ(saved_state(used->device()), expected) << "seed " << seed;
    }
}

TEST_P(Conformance, SnapshotRoundTrips) {
    for (u32 seed = 0; seed < 8; ++seed) {
        const auto used = make_used(seed);
        const auto state = saved_state(used->device());
        const auto copy = make();
        copy->clock.advance(used->clock.now_ns());
        copy->identity.cpu = used->identity.cpu;
        StateReader reader(state);
        const auto result = copy->device().restore(reader);
        ASSERT_TRUE(result.has_value()) << result.error().message;
        EXPECT_EQ(saved_state(copy->device()), state) << "seed " << seed;
        EXPECT_EQ(copy->irq.level(), used->irq.level());
        for (u32 cpu = 0; cpu < 4; ++cpu) {
            EXPECT_EQ(copy->cpus.irq(cpu), used->cpus.irq(cpu));
            EXPECT_EQ(copy->cpus.fiq(cpu), used->cpus.fiq(cpu));
        }
    }
}

TEST_P(Conformance, StandsStillWhilePaused) {
    if (!GetParam().is_disturbed_from_outside) GTEST_SKIP() << "only accesses change it";
    for (u32 seed = 0; seed < 8; ++seed) {
        const auto used = make_used(seed);
        used->start();
        used->notify(0);
        used->device().pause();
        EXPECT_EQ(used->disk.pending(), 0u) << "requests were finished";
        const auto state = saved_state(used->device());
        const std::vector<std::byte> memory(used->memory.bytes().begin(),
                                            used->memory.bytes().end());
        std::mt19937 random(seed);
        for (int i = 0; i < 100; ++i) used->disturb(static_cast<u32>(random()));
        EXPECT_EQ(saved_state(used->device()), state) << "seed " << seed;
        EXPECT_TRUE(std::ranges::equal(used->memory.bytes(), memory)) << "seed " << seed;
        used->device().resume();
    }
}

TEST_P(Conformance, GoesOnAfterASnapshotInTraffic) {
    for (u32 seed = 0; seed < 8; ++seed) {
        const auto used = make_used(seed);
        used->device().pause();
        const auto state = saved_state(used->device());
        const auto copy = make();
        copy->device().pause();
        copy->adopt_surroundings(*used);
        StateReader reader(state);
        const auto result = copy->device().restore(reader);
        ASSERT_TRUE(result.has_value()) << result.error().message;
        // The same goes on happening to both, and it makes no difference.
        for (Specimen *specimen : {used.get(), copy.get()}) {
            specimen->device().resume();
            scribble(*specimen, seed + 1000);
            specimen->device().pause();
        }
        EXPECT_EQ(saved_state(copy->device()), saved_state(used->device())) << "seed " << seed;
        EXPECT_TRUE(std::ranges::equal(copy->memory.bytes(), used->memory.bytes()));
        EXPECT_TRUE(std::ranges::equal(copy->disk.bytes(), used->disk.bytes()));
        EXPECT_EQ(copy->line.output(), used->line.output());
        EXPECT_EQ(copy->port.sent, used->port.sent);
        EXPECT_EQ(copy->irq.level(), used->irq.level());
    }
}

TEST_P(Conformance, DamagedSnapshotsAreRefusedOrHarmless) {
    const auto used = make_used(1);
    const auto state = saved_state(used->device());
    const std::size_t step = std::max<std::size_t>(state.size() / 200, 1);
    for (std::size_t length = 0; length < state.size(); length += step) {
        const auto copy = make();
        StateReader reader(std::span<const std::byte>(state).first(length));
        EXPECT_FALSE(copy->device().restore(reader).has_value()) << length;
    }
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        auto damaged = state;
        if (damaged.empty()) break;
        for (int i = 0; i < 4; ++i)
            damaged[random() % damaged.size()] = static_cast<std::byte>(random());
        const auto copy = make();
        StateReader reader(damaged);
        if (copy->device().restore(reader).has_value() && round % 10 == 0)
            scribble(*copy, static_cast<u32>(random()));
    }
}

TEST_P(Conformance, RandomAccessesAreHarmless) {
    for (u32 seed = 100; seed < 120; ++seed) static_cast<void>(make_used(seed));
}

class VirtioConformance : public Conformance {};

TEST_P(VirtioConformance, HostileRingsAreHarmless) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        const auto specimen = make();
        // Descriptors that are near the truth: small numbers of every kind.
        auto bytes = specimen->memory.bytes();
        for (u64 address = 0x1000; address < 0x1000 * (Specimen::kMaxQueues + 1); address += 2) {
            const u32 pick = static_cast<u32>(random());
            specimen->memory.put(address,
                                 static_cast<u16>((pick & 3) == 0 ? pick >> 8 : pick >> 8 & 0x1f));
        }
        for (std::size_t i = 0x8000; i < 0x8400; ++i) bytes[i] = static_cast<std::byte>(random());
        specimen->start();
        for (u16 step = 0; step < 8; ++step) {
            for (u32 queue = 0; queue < Specimen::kMaxQueues; ++queue) {
                specimen->memory.put(0x1000 * (queue + 1) + 0x402, static_cast<u16>(step * 3));
                specimen->notify(queue);
            }
            const u32 choice = static_cast<u32>(random());
            specimen->meddle(choice);
            specimen->disturb(choice);
        }
        EXPECT_EQ(specimen->virtio_status() & 0xf, 0xfu);
    }
}

std::vector<SpecimenKind> kinds(bool only_virtio) {
    std::vector<SpecimenKind> kinds;
    for (const SpecimenKind &kind : specimen_kinds())
        if (kind.is_virtio || !only_virtio) kinds.push_back(kind);
    return kinds;
}

std::string kind_name(const ::testing::TestParamInfo<SpecimenKind> &info) {
    return std::string(info.param.name);
}

INSTANTIATE_TEST_SUITE_P(Devices, Conformance, ::testing::ValuesIn(kinds(false)), kind_name);
INSTANTIATE_TEST_SUITE_P(Devices, VirtioConformance, ::testing::ValuesIn(kinds(true)), kind_name);

} // namespace
} // namespace tandem::devices::testing
