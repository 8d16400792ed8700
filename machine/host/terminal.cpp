#include "machine/host/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace tandem::machine {
namespace {

// Process-wide, because a signal handler must find them.
termios original_mode;
termios raw_mode;
std::atomic<bool> is_raw = false;

bool in_foreground() {
    const pid_t group = ::tcgetpgrp(STDIN_FILENO);
    return group < 0 || group == ::getpgrp();
}

void say(std::string_view text) {
    // Nothing can be done if standard error is gone.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

void on_crash(int signal, siginfo_t *, void *) {
    RawTerminal::restore();
    switch (signal) {
    case SIGBUS:
        say("tandem: host out of memory for the guest's RAM (SIGBUS); use a smaller --memory or "
            "free some\n");
        break;
    case SIGABRT: say("tandem: internal error (SIGABRT); please report it\n"); break;
    default: say("tandem: internal error (crash); please report it\n"); break;
    }
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
    ::raise(signal);
}

} // namespace

RawTerminal::RawTerminal() {
    if (::isatty(STDIN_FILENO) == 0 || !in_foreground()) return;
    if (::tcgetattr(STDIN_FILENO, &original_mode) != 0) return;
    raw_mode = original_mode;
    // As cfmakeraw(3), but output processing stays on: messages of the host end lines with \n.
    raw_mode.c_iflag &=
        ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw_mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    raw_mode.c_cflag = (raw_mode.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
    raw_mode.c_cc[VMIN] = 1;
    raw_mode.c_cc[VTIME] = 0;
    static const int registered = std::atexit([] { RawTerminal::restore(); });
    static_cast<void>(registered);
    is_raw = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode) == 0;
}

RawTerminal::~RawTerminal() {
    restore();
}

void RawTerminal::restore() noexcept {
    if (is_raw.exchange(false)) ::tcsetattr(STDIN_FILENO, TCSANOW, &original_mode);
}

void RawTerminal::reapply() noexcept {
    if (is_raw.load() && in_foreground()) ::tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode);
}

void install_crash_handlers() {
    struct sigaction action{};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE})
        ::sigaction(signal, &action, nullptr);
}

} // namespace tandem::machine
