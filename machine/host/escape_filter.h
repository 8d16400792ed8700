#pragma once
/// The console's escape key: Ctrl-A, then a command.
#include <cstddef>
#include <span>
#include <vector>

namespace tandem::machine {

class EscapeFilter {
public:
    enum class Command : unsigned char { None, Quit, Help, PowerKey, Save };

    /// Appends the bytes meant for the guest to `out`; returns the command typed, if any (the rest
    /// of the input after a Quit is dropped).
    Command filter(std::span<const std::byte> in, std::vector<std::byte> &out);

    static constexpr const char *kHelp = "\r\nCtrl-A x  quit\r\n"
                                         "Ctrl-A p  press the power key\r\n"
                                         "Ctrl-A s  save a snapshot of the machine\r\n"
                                         "Ctrl-A h  this help\r\n"
                                         "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

private:
    bool escaped_ = false;
};

} // namespace tandem::machine
