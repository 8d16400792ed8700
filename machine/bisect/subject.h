#pragma once
/// A replayed machine as the search for a divergence sees it: it stands at some position of its
/// history, and can be brought to any other.
#include "machine/debug/target.h"
#include "machine/memory/guest_memory.h"
#include "machine/replay/session.h"
#include "machine/reverse/checkpoints.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tandem::machine::bisect {

/// One thread at a time, other than those of the machine. Fails when the machine has ended by
/// itself, with what it ended from.
class Subject {
public:
    struct Place {
        u64 position = 0; ///< instructions executed by all CPUs
        u64 time_ns = 0;  ///< guest time
        u32 last_cpu = 0; ///< the one that executed the last instruction
        friend bool operator==(const Place &, const Place &) = default;
    };
    /// The state of a device, or of all CPUs, as it is saved.
    struct Part {
        std::string name;
        std::vector<std::byte> state;
    };

    virtual ~Subject() = default;
    /// Runs it to where its history ends: that of the recording, or where it is not the recorded
    /// machine any more.
    [[nodiscard]] virtual Result<Place> run_to_end() = 0;
    /// Brings the machine there, or to where its history ends if that comes first.
    [[nodiscard]] virtual Result<Place> go_to(u64 position) = 0;
    /// Has a CPU, which is the next to execute, go to its next instruction: behind the one it
    /// stands at, or to an interrupt's handler.
    [[nodiscard]] virtual Result<Place> step(u32 cpu) = 0;

    // Where it stands.
    [[nodiscard]] virtual Result<replay::CheckEntry> look() = 0;
    /// Where its history ends: how.
    [[nodiscard]] virtual Result<replay::ReplayResult> verdict() = 0;
    /// Whether it is what was recorded here; nothing: the recording does not say.
    [[nodiscard]] virtual Result<std::optional<bool>> is_recorded() = 0;
    [[nodiscard]] virtual Result<std::vector<Part>> parts() = 0;
    /// As long as the machine stands still.
    [[nodiscard]] virtual Result<GuestMemory *> ram() = 0;
    /// Registers and memory.
    [[nodiscard]] virtual DebugTarget &target() = 0;

    struct Start {
        u64 position = 0;
        const reverse::Checkpoint *checkpoint = nullptr; ///< until the machine goes elsewhere
    };
    /// The last checkpoint at or before this position.
    [[nodiscard]] virtual Result<Start> start_before(u64 position) = 0;
    /// The machine can be brought there: it is the same machine, in another process or engine.
    [[nodiscard]] virtual Result<> adopt(const Start &) = 0;
};

} // namespace tandem::machine::bisect
