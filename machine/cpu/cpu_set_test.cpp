#include "machine/cpu/cpu_set.h"

#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <semaphore>

namespace tandem::machine {
namespace {

/// A CPU that "executes" a function given by the test.
class FakeAccelerator final : public Accelerator {
public:
    class Cpu final : public AcceleratedCpu {
    public:
        Cpu(FakeAccelerator &owner, u32 index) : owner_(owner), index_(index) {}
        void start(const CpuStart &start) override { owner_.started[index_] = start; }
        void run() override { owner_.body(index_, *this); }
        void leave() override { wake.release(); }
        void set_interrupt_lines(bool irq, bool) override {
            if (irq) wake.release();
        }
        void signal_event() override { wake.release(); }
        void save(devices::StateWriter &writer) const override { writer(owner_.steps[index_]); }
        Result<> restore(devices::StateReader &) override { return {}; }
        std::counting_semaphore<> wake{0};

    private:
        FakeAccelerator &owner_;
        u32 index_;
    };

    std::string_view name() const override { return "fake"; }
    std::unique_ptr<CountedCpu> create_counted_cpu(u32) override { return nullptr; }
    std::unique_ptr<AcceleratedCpu> create_cpu(u32 index) override {
        return std::make_unique<Cpu>(*this, index);
    }
    std::string statistics_report() const override { return {}; }
    void memory_written(GuestPhysAddr, u64) override {}
    void map_changed() override {}
    void slow_down_writes() override {}

    std::function<void(u32, Cpu &)> body;
    CpuStart started[2];
    u64 steps[2] = {};
};

TEST(CpuSet, StartsSecondaryAndPowersOff) {
    CpuSet cpus({0, 1});
    FakeAccelerator accelerator;
    u32 seen[2] = {9, 9};
    std::latch is_on_already(1);
    accelerator.body = [&](u32 index, FakeAccelerator::Cpu &cpu) {
        seen[index] = cpus.current();
        if (index == 0) {
            EXPECT_TRUE(cpus.power_on(1, 0x4000'0000, 7));
            EXPECT_FALSE(cpus.power_on(1, 0x4000'0000, 7));
            is_on_already.count_down();
            cpu.wake.acquire();
            cpus.system_off();
        } else {
            is_on_already.wait();
            cpus.set_interrupt_lines(0, true, false);
            cpus.power_off(1);
        }
    };
    cpus.attach(accelerator);
    cpus.start({0x4020'0000, {0x4000'0000, 0, 0, 0}});
    EXPECT_EQ(cpus.run(), StopReason::PowerOff);
    EXPECT_EQ(accelerator.started[0].entry, 0x4020'0000u);
    EXPECT_EQ(accelerator.started[1].arguments[0], 7u);
    EXPECT_EQ(seen[0], 0u);
    EXPECT_EQ(seen[1], 1u);
    EXPECT_EQ(cpus.find_cpu(1), 1u);
    EXPECT_EQ(cpus.find_cpu(2), std::nullopt);
}

TEST(CpuSet, StandsStillWhilePaused) {
    CpuSet cpus({0, 1});
    FakeAccelerator accelerator;
    std::atomic<u32> inside = 0;
    std::atomic<u32> rounds = 0;
    accelerator.body = [&](u32 index, FakeAccelerator::Cpu &cpu) {
        ++inside;
        if (index == 0) static_cast<void>(cpus.power_on(1, 0x4000'0000, 0));
        ++rounds;
        cpu.wake.acquire();
        --inside;
    };
    cpus.attach(accelerator);
    cpus.start({});
    std::thread runner([&] { cpus.run(); });
    for (u32 seen = 0; (seen = rounds) < 2;) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) {
        cpus.pause();
        EXPECT_EQ(inside, 0u);
        const u32 before = rounds;
        cpus.set_interrupt_lines(1, true, false);
        std::this_thread::yield();
        EXPECT_EQ(rounds, before);
        cpus.pause(); // somebody else
        cpus.resume();
        std::this_thread::yield();
        EXPECT_EQ(rounds, before);
        cpus.resume();
        while (rounds == before) std::this_thread::yield();
    }
    EXPECT_EQ(cpus.power_of(1), PowerControl::CpuPower::On);
    cpus.pause();
    cpus.stop(StopReason::Timeout);
    runner.join();
}

TEST(CpuSet, FirstStopReasonCounts) {
    CpuSet cpus({0});
    FakeAccelerator accelerator;
    accelerator.body = [&](u32, FakeAccelerator::Cpu &cpu) {
        cpus.stop(StopReason::Timeout);
        cpus.stop(StopReason::Signal);
        cpu.wake.acquire();
    };
    cpus.attach(accelerator);
    cpus.start({});
    EXPECT_EQ(cpus.run(), StopReason::Timeout);
}

} // namespace
} // namespace tandem::machine
