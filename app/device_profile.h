#pragma once
/// Profiles of devices: files of options, a line each, such as `screen 720x1440@320`.
#include "support/result.h"

#include <string>
#include <vector>

namespace tandem::app {

struct ProfileLine {
    std::string option; ///< with its dashes
    std::string value;  ///< of a flag: empty
    std::string place;  ///< FILE:LINE, for errors
};

/// Of the profile with this name, the user's own or one that comes with Tandem, or of the file of
/// this path, which has a slash in it.
[[nodiscard]] Result<std::vector<ProfileLine>> read_device_profile(const std::string &name);

} // namespace tandem::app
