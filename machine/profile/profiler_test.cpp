#include "machine/profile/profiler.h"

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>

namespace tandem::machine::profile {
namespace {

TEST(Profiler, SaysWhatIsWrongWithItsOptions) {
    const auto message = [](const ProfileConfig &config) {
        const Result<> result = check_profile(config, false);
        return result.has_value() ? "" : result.error().message;
    };
    EXPECT_EQ(message({.path = "a.html"}), "");
    EXPECT_EQ(message({.path = "a.svg"}),
              "--profile a.svg: no known format; end it in .html (a flame graph), .json "
              "(speedscope) or .folded (stacks)");
    EXPECT_EQ(message({.path = "a.json", .rate_hz = 0}),
              "--profile-rate 0: out of range; use 1 to 10000");
    EXPECT_EQ(message({.path = "a.json", .by_guest_time = true}),
              "--profile-clock guest: only a deterministic machine counts its instructions "
              "exactly; add --deterministic");
}

TEST(Profiler, NeedsAFolderToWriteTo) {
    const auto profiler = Profiler::create({.path = "/no/such/folder/a.json"}, {}, "");
    ASSERT_FALSE(profiler.has_value());
    EXPECT_EQ(profiler.error().message, "--profile /no/such/folder/a.json: No such file or "
                                        "directory; name a file in a folder that can be written");
}

TEST(Profiler, LeavesNothingBehindUnlessItFinishes) {
    const auto folder = std::filesystem::temp_directory_path() / "tandem-profiler-test";
    std::filesystem::create_directories(folder);
    const std::string path = folder / "a.folded";
    ASSERT_TRUE(Profiler::create({.path = path}, {}, "").has_value());
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    const auto profiler = Profiler::create({.path = path}, {}, "").value();
    ASSERT_TRUE(profiler->finish().has_value());
    EXPECT_TRUE(std::filesystem::exists(path));
    std::filesystem::remove_all(folder);
}

u64 cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}
void work_for(u64 nanoseconds) {
    const u64 end = cpu_time() + nanoseconds;
    while (cpu_time() < end) {
    }
}

class MarkedCpu final : public SampledCpu {
public:
    explicit MarkedCpu(jit::Activity activity) : activity_(activity) {}
    void capture(const HostRegisters &, Sample &sample) const noexcept override {
        sample.activity = activity_;
    }

private:
    jit::Activity activity_;
};

TEST(Sampler, WeighsByCpuTime) {
    std::map<jit::Activity, u64> weights;
    u64 idle = 0;
    {
        Sampler sampler(1000,
                        [&](const Sample &sample) { weights[sample.activity] += sample.weight; });
        std::thread([&] {
            const Sampler::ThreadScope sampled(&sampler);
            const MarkedCpu first(jit::Activity::Interpreter), second(jit::Activity::Baseline);
            for (int i = 0; i < 20; ++i) {
                {
                    const Sampler::CpuScope executing(&first);
                    work_for(10'000'000);
                }
                const Sampler::CpuScope executing(&second);
                work_for(30'000'000);
                const Sampler::IdleScope idle_now;
                work_for(20'000'000);
            }
        }).join();
        idle = sampler.totals().idle_ns;
    }
    const auto first = static_cast<double>(weights[jit::Activity::Interpreter]);
    const auto second = static_cast<double>(weights[jit::Activity::Baseline]);
    // 200 ms and 600 ms; each change may cost a sample of a few milliseconds on a loaded host.
    EXPECT_GT(second, 1.5 * first);
    EXPECT_GT(first, 0.05e9);
    EXPECT_LT(first + second, 0.9e9);
    EXPECT_GT(idle, u64{350'000'000});
}

TEST(Sampler, DoesNothingForOtherThreads) {
    const MarkedCpu cpu(jit::Activity::Baseline);
    const Sampler::ThreadScope sampled(nullptr);
    const Sampler::CpuScope executing(&cpu);
    const Sampler::IdleScope idle;
}

} // namespace
} // namespace tandem::machine::profile
