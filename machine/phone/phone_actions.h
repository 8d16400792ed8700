#pragma once
/// What a person does with a mobile device, and what is around it, as actions on the control socket
/// of a machine of another process.
#include "machine/control/qmp_client.h"

#include <span>
#include <string>
#include <string_view>

namespace tandem::machine {

struct PhoneCall {
    QmpClient &machine;
    std::span<const std::string> arguments;
    unsigned output = 0; ///< number of the screen that is touched
};

struct PhoneAction {
    std::string_view name, arguments; ///< for people
    std::size_t least, most;          ///< of arguments
    /// Returns when it has been done, with what is to be shown.
    Result<std::string> (*run)(const PhoneCall &);
};

/// By name.
[[nodiscard]] std::span<const PhoneAction> phone_actions();
/// Fails if there is none of that name, or it takes another number of arguments.
[[nodiscard]] Result<const PhoneAction *> find_phone_action(std::string_view name,
                                                            std::size_t arguments);

} // namespace tandem::machine
