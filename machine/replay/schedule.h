#pragma once
/// Which CPU executes next, and for how long. Depends on the seed and on who can run, on nothing
/// else.
#include "devices/core/state.h"
#include "machine/replay/random.h"
#include "machine/replay/schedule_kind.h"

#include <memory>
#include <span>
#include <string_view>

namespace tandem::machine::replay {

struct Turn {
    u32 cpu = 0;
    u64 instructions = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.cpu, self.instructions);
    }
};

class Schedule {
public:
    virtual ~Schedule() = default;
    /// `runnable` are the CPUs that can run, in ascending order; at least one.
    [[nodiscard]] virtual Turn next(std::span<const u32> runnable) = 0;
    /// The turn is over after so many instructions, perhaps fewer than it had.
    virtual void over(u64 /*executed*/) {}
    /// Whether a turn is over when another CPU that waited gets an interrupt. If not, that one
    /// waits for its turn.
    [[nodiscard]] virtual bool yields_to_interrupts() const { return false; }
    /// Where it stands, between turns.
    virtual void save(devices::StateWriter &) const = 0;
    [[nodiscard]] virtual Result<> restore(devices::StateReader &) = 0;
};

[[nodiscard]] std::unique_ptr<Schedule> create_schedule(ScheduleKind, u32 cpus, u64 seed);

} // namespace tandem::machine::replay
