#pragma once
/// What a launch plan says to people and programs.
#include "machine/board/machine_config.h"
#include "machine/launch/launch_plan.h"

#include <string>
#include <vector>

namespace tandem::app {

/// Words as a POSIX shell reads them.
[[nodiscard]] std::string shell_line(const std::vector<std::string> &words);

/// For `run`, before the guest's first output: what runs, and how to log in.
[[nodiscard]] std::string plan_as_screen(const machine::LaunchPlan &,
                                         const machine::MachineConfig &);
/// For `explain`; `arguments` say the same to `run`.
[[nodiscard]] std::string plan_as_text(const machine::LaunchPlan &,
                                       const std::vector<std::string> &arguments);
[[nodiscard]] std::string plan_as_json(const machine::LaunchPlan &,
                                       const std::vector<std::string> &arguments);

} // namespace tandem::app
