#pragma once
/// The terminal on standard input in raw mode, restored however the process ends but by SIGKILL.
namespace tandem::machine {

class RawTerminal {
public:
    /// Does nothing when standard input is no terminal, or one this process may not change now.
    RawTerminal();
    RawTerminal(const RawTerminal &) = delete;
    RawTerminal &operator=(const RawTerminal &) = delete;
    ~RawTerminal();

    /// Puts the terminal back; safe in signal handlers and more than once.
    static void restore() noexcept;
    /// Raw mode again, after the process was stopped and continued.
    static void reapply() noexcept;
};

/// Handlers for SIGSEGV, SIGBUS, SIGABRT and the like: restore the terminal, say in one line what
/// happened, and die of the signal. Call early, so that later handlers can chain to these.
void install_crash_handlers();

} // namespace tandem::machine
