#include "machine/host/escape_filter.h"

namespace tandem::machine {

EscapeFilter::Command EscapeFilter::filter(std::span<const std::byte> in,
                                           std::vector<std::byte> &out) {
    static constexpr auto kEscape = std::byte{1}; // Ctrl-A
    Command command = Command::None;
    for (const std::byte byte : in) {
        if (!escaped_) {
            if (byte == kEscape) {
                escaped_ = true;
            } else {
                out.push_back(byte);
            }
            continue;
        }
        escaped_ = false;
        switch (static_cast<char>(byte)) {
        case 'x':
        case 'X': return Command::Quit;
        case 'p':
        case 'P': command = Command::PowerKey; break;
        case 's':
        case 'S': command = Command::Save; break;
        case 'h':
        case 'H':
        case '?': command = Command::Help; break;
        case 'a':
        case '\x01': out.push_back(kEscape); break;
        default: // not a command: the guest gets what was typed
            out.push_back(kEscape);
            out.push_back(byte);
            break;
        }
    }
    return command;
}

} // namespace tandem::machine
