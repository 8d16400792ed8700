#pragma once
/// For tests and fuzzing: a debug target of two CPUs, four registers and some memory.
#include "machine/debug/target.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tandem::machine::testing {

class FakeTarget final : public DebugTarget {
public:
    static constexpr u64 kMemory = 0x1000, kMemorySize = 0x3000;
    static constexpr u64 kVirtualOffset = 0x1'0000; ///< of a virtual address, from physical

    FakeTarget() {
        file_.architecture = "aarch64";
        file_.features.push_back({"test.core", "", {{"a", 64, "int", ""}, {"b", 64, "int", ""}}});
        file_.features.push_back(
            {"test.more", "<x/>", {{"v", 128, "int", ""}, {"f", 32, "int", "system"}}});
        file_.all_at_once = 3;
        file_.program_counter = 0;
        file_.stack_pointer = file_.frame_pointer = 1;
    }

    void attach(DebugClient &) override { running = false; }
    void detach(AfterDetach then) override { running = then == AfterDetach::Runs; }
    u32 cpu_count() const override { return 2; }
    bool is_cpu_on(u32 cpu) override { return cpus_on[cpu]; }
    bool is_running() const override { return running; }
    u64 position(u32) override { return 0; }
    const RegisterFile &registers() const override { return file_; }
    void read_register(u32 cpu, std::size_t number, std::span<std::byte> out) override {
        running = false;
        std::memcpy(out.data(), &values[cpu].at(number), out.size());
    }
    Result<> write_register(u32 cpu, std::size_t number, std::span<const std::byte> in) override {
        running = false;
        if (number == 3) return failure("f: read-only; leave it as it is");
        std::memcpy(&values[cpu].at(number), in.data(), in.size());
        return {};
    }
    std::size_t read_memory(AddressSpace space, u64 address, std::span<std::byte> out) override {
        running = false;
        const std::span<std::byte> there = at(space, address, out.size());
        std::ranges::copy(there, out.begin());
        return there.size();
    }
    std::size_t write_memory(AddressSpace space, u64 address,
                             std::span<const std::byte> in) override {
        running = false;
        const std::span<std::byte> there = at(space, address, in.size());
        std::ranges::copy(in.first(there.size()), there.begin());
        return there.size();
    }
    std::optional<u64> read_device(u64 physical, unsigned) override {
        if (physical != 0x9000) return std::nullopt;
        return 0x11;
    }
    std::optional<u64> translate(u32, u64 address) override { return address - kVirtualOffset; }
    std::vector<PlacedRegion> layout() override { return {{kMemory, kMemorySize, "ram"}}; }
    void set_points(std::span<const DebugPoint> set) override {
        points.assign(set.begin(), set.end());
    }
    void pause() override { running = false; }
    u64 resume(std::span<const CpuPlan> wanted, GuestClock guest_clock) override {
        plans.assign(wanted.begin(), wanted.end());
        clock = guest_clock;
        running = true;
        return ++run;
    }
    void quit() override { ++quits; }
    std::optional<Moment> moment() override { return Moment{.position = 70, .time_ns = 90}; }
    bool goes_backwards() const override { return is_replay; }
    u64 resume_backwards(Backwards how) override {
        backwards = how;
        running = true;
        return ++run;
    }
    void go_to(u64) override { running = false; }
    std::string run_monitor_command(const std::string &line, u32 cpu) override {
        return line == "silence" ? "" : line + " on " + std::to_string(cpu) + "\r\n";
    }

    bool running = true;
    std::array<bool, 2> cpus_on{true, true};
    std::array<std::array<std::array<u64, 2>, 4>, 2> values{};
    std::vector<std::byte> memory = std::vector<std::byte>(kMemorySize);
    std::vector<DebugPoint> points;
    std::vector<CpuPlan> plans;
    GuestClock clock = GuestClock::Runs;
    u64 run = 0;
    int quits = 0;
    bool is_replay = false;
    std::optional<Backwards> backwards;

private:
    std::span<std::byte> at(AddressSpace space, u64 address, std::size_t size) {
        const u64 offset = address - (space.cpu.has_value() ? kVirtualOffset : 0) - kMemory;
        if (offset >= memory.size()) return {};
        return std::span(memory).subspan(offset).first(
            std::min<std::size_t>(size, memory.size() - offset));
    }

    RegisterFile file_;
};

} // namespace tandem::machine::testing
