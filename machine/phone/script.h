#pragma once
/// A test of what a person does and sees, as a file: a JSON list of steps, each one of
///
///     {"do": "swipe 360 1300 360 300"}        an action of `tandem phone`; or a list of its words
///     {"wait": 0.5}                           seconds
///     {"see": "home.png", "at": [0, 24], "tolerance": 8, "differing": 0.5, "within": 10}
///
/// The last waits until the picture is seen at that pixel (0, 0), each colour within the tolerance
/// (0 of 255) but for so many per cent of the pixels (0), and fails when it is not within the
/// seconds (10). Its transparent pixels may be anything. Paths are relative to the script.
#include "machine/phone/phone_actions.h"
#include "machine/screen/picture.h"

#include <variant>
#include <vector>

namespace tandem::machine {

struct ActionStep {
    const PhoneAction *action = nullptr;
    std::vector<std::string> arguments;
};
struct WaitStep {
    double seconds = 0;
};
struct SeeStep {
    std::string path;
    Picture picture;
    u32 x = 0, y = 0, tolerance = 0;
    double differing = 0; ///< per cent
    double within = 0;    ///< seconds
};
using ScriptStep = std::variant<ActionStep, WaitStep, SeeStep>;

/// All of it is checked, and its pictures are read. Errors name the step, counted from 1.
[[nodiscard]] Result<std::vector<ScriptStep>> read_script(const std::string &path);
/// Does one step on that screen, and returns when it is done, with what is to be shown.
[[nodiscard]] Result<std::string> run_step(QmpClient &, const ScriptStep &, unsigned output);

} // namespace tandem::machine
