#pragma once
/// Finds the first instruction after which a replay is another machine than the one recorded.
///
/// Recordings have hashes every Sequencer::kCheckInterval instructions, which say in which interval
/// that is. Within it a second machine that runs in another engine, the reference, is held against
/// the first.
#include "machine/bisect/subject.h"

#include <string>

namespace tandem::machine::bisect {

struct Finding {
    enum class Kind : u8 {
        None,        ///< the replay is the recorded run, as far as that goes: see `verdict`
        Found,       ///< number `to` is the first instruction after which the machines differ
        Agreed,      ///< the reference has diverged from the recording in the same way
        Disappeared, ///< it did not happen again when the interval was executed once more
    };
    Kind kind = Kind::None;
    replay::ReplayResult verdict; ///< of the whole replay
    /// Both machines are the same after `from` instructions, and the replay is not what was
    /// recorded (of Found: not what the reference is) after `to`.
    u64 from = 0, to = 0;
    u64 from_ns = 0, to_ns = 0; ///< guest time
    /// Of Found: whether the reference is what was recorded, where the recording says so next.
    std::optional<bool> reference_is_right;
};

/// Both have not run yet. Of Found, the machines stand behind instruction `to` afterwards.
[[nodiscard]] Result<Finding> find_divergence(Subject &candidate, Subject &reference);

} // namespace tandem::machine::bisect
