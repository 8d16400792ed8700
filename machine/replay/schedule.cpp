#include "machine/replay/schedule.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace tandem::machine::replay {
namespace {

/// An exact end costs some microseconds, so turns are some hundreds.
constexpr u64 kTurn = 200'000;

/// Saves and restores what the schedule's own transfer() names.
template <typename Derived>
class SavedSchedule : public Schedule {
public:
    static constexpr u32 kVersion = 1;
    void save(devices::StateWriter &writer) const override {
        devices::save_state(writer, "schedule", static_cast<const Derived &>(*this));
    }
    Result<> restore(devices::StateReader &reader) override {
        return devices::restore_state(reader, "schedule", static_cast<Derived &>(*this));
    }
};

class RoundRobin final : public SavedSchedule<RoundRobin> {
public:
    explicit RoundRobin(u32 cpus) : last_(cpus) {}
    Turn next(std::span<const u32> runnable) override {
        const auto after = std::ranges::upper_bound(runnable, last_);
        last_ = after == runnable.end() ? runnable.front() : *after;
        return {last_, kTurn};
    }
    bool yields_to_interrupts() const override { return true; }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.last_);
    }

private:
    u32 last_;
};

class RandomTurns final : public SavedSchedule<RandomTurns> {
public:
    explicit RandomTurns(u64 seed) : random_(seed) {}
    Turn next(std::span<const u32> runnable) override {
        const u32 cpu = runnable[random_.below(runnable.size())];
        return {cpu, 1 + random_.below(2 * kTurn)};
    }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.random_);
    }

private:
    Random random_;
};

/// Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
/// 2010. A kernel does not end, so priorities change for ever, and a CPU that spins on one of
/// lower priority must not do so for ever.
class PriorityTurns final : public SavedSchedule<PriorityTurns> {
public:
    PriorityTurns(u32 cpus, u64 seed) : random_(seed), order_(cpus) {
        std::iota(order_.begin(), order_.end(), 0u);
        for (std::size_t i = order_.size(); i > 1; --i)
            std::swap(order_[i - 1], order_[random_.below(i)]);
    }
    Turn next(std::span<const u32> runnable) override {
        running_ = *std::ranges::find_if(
            order_, [&](u32 cpu) { return std::ranges::binary_search(runnable, cpu); });
        return {running_, until_change_};
    }
    void over(u64 executed) override {
        until_change_ -= executed;
        if (until_change_ != 0) return;
        std::erase(order_, running_);
        order_.push_back(running_);
        until_change_ = new_change();
    }
    bool yields_to_interrupts() const override { return true; }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.random_, self.order_, self.running_, self.until_change_);
    }

private:
    /// Mostly far away, sometimes within a critical section.
    u64 new_change() { return 1 + random_.below(random_.below(4) == 0 ? 2'000 : 20 * kTurn); }

    Random random_;
    std::vector<u32> order_; ///< by priority
    u32 running_ = 0;
    u64 until_change_ = new_change();
};

class Chaos final : public SavedSchedule<Chaos> {
public:
    Chaos(u32 cpus, u64 seed) : random_(seed), starved_(cpus) {}
    Turn next(std::span<const u32> runnable) override {
        // Lengths from some instructions to a million, each order of magnitude as likely.
        const u64 length = 1 + random_.below(u64{16} << random_.below(17));
        if (starving_turns_ != 0)
            --starving_turns_;
        else if (random_.below(50) == 0)
            starve(static_cast<u32>(runnable[random_.below(runnable.size())]));
        const auto start = random_.below(runnable.size());
        for (std::size_t i = 0; i < runnable.size(); ++i) {
            const u32 cpu = runnable[(start + i) % runnable.size()];
            if (starving_turns_ == 0 || cpu != starved_) return {cpu, length};
        }
        return {runnable[start], length};
    }

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.random_, self.starved_, self.starving_turns_);
    }

private:
    void starve(u32 cpu) {
        starved_ = cpu;
        starving_turns_ = random_.below(100);
    }

    Random random_;
    u32 starved_;
    u64 starving_turns_ = 0;
};

} // namespace

std::unique_ptr<Schedule> create_schedule(ScheduleKind kind, u32 cpus, u64 seed) {
    switch (kind) {
    case ScheduleKind::RoundRobin: return std::make_unique<RoundRobin>(cpus);
    case ScheduleKind::Random: return std::make_unique<RandomTurns>(seed);
    case ScheduleKind::Priority: return std::make_unique<PriorityTurns>(cpus, seed);
    case ScheduleKind::Chaos: return std::make_unique<Chaos>(cpus, seed);
    }
    __builtin_unreachable();
}

} // namespace tandem::machine::replay
