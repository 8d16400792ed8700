#pragma once
/// The machine as those see it who look at its screens.
#include "machine/input/input_action.h"
#include "machine/screen/screen.h"
#include "support/result.h"

#include <span>

namespace tandem::machine {

enum class RunState : u8 {
    Prelaunch,
    Running,
    Paused,
    Shutdown,
    InMigrate,     ///< waits for a machine that comes from elsewhere
    FinishMigrate, ///< stands still for the last part of a move
    PostMigrate,   ///< goes on elsewhere
};

/// Any thread, at any time.
class DisplayHost {
public:
    virtual ~DisplayHost() = default;
    [[nodiscard]] virtual RunState run_state() const = 0;
    [[nodiscard]] virtual const Screen &screen() const = 0;
    /// One of them has become another. Nobody touches a replay.
    [[nodiscard]] virtual Result<> set_screen(u32 output, const devices::DisplayMode &) = 0;
    /// What hands do; see InputHub. Nobody touches a replay.
    [[nodiscard]] virtual Result<> send_input(std::span<const InputAction>) = 0;
    virtual void press_power_key() = 0;
    virtual void quit() = 0;
};

} // namespace tandem::machine
