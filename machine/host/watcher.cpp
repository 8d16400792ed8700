#include "machine/host/watcher.h"

#include "machine/host/monotonic.h"
#include "machine/host/terminal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace tandem::machine {

Watcher::Watcher(u64 timeout_ns, std::function<void(int)> on_signal,
                 std::function<void()> on_timeout)
    : on_signal_(std::move(on_signal)), on_timeout_(std::move(on_timeout)) {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT})
        ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::signal(SIGPIPE, SIG_IGN); // a reader of standard output that left is no reason to die
    signal_fd_.reset(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
    stop_event_.reset(::eventfd(0, EFD_CLOEXEC));
    thread_ = std::thread([this, timeout_ns] { run(timeout_ns); });
}

Watcher::~Watcher() {
    ::eventfd_write(stop_event_.get(), 1);
    thread_.join();
}

void Watcher::run(u64 timeout_ns) {
    const u64 start = monotonic_ns();
    for (;;) {
        int wait_ms = -1;
        if (timeout_ns != 0) {
            const u64 elapsed = monotonic_ns() - start;
            if (elapsed >= timeout_ns) {
                on_timeout_();
                timeout_ns = 0;
                continue;
            }
            static constexpr u64 kMaxWait = 3'600'000;
            wait_ms = static_cast<int>(
                std::min<u64>((timeout_ns - elapsed + 999'999) / 1'000'000, kMaxWait));
        }
        std::array<pollfd, 2> fds{{{signal_fd_.get(), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}}};
        ::poll(fds.data(), fds.size(), wait_ms);
        if (fds[1].revents != 0) return;
        signalfd_siginfo info{};
        while (::read(signal_fd_.get(), &info, sizeof info) == sizeof info) {
            const int signal = static_cast<int>(info.ssi_signo);
            if (signal == SIGCONT) {
                RawTerminal::reapply();
            } else {
                on_signal_(signal);
            }
        }
    }
}

} // namespace tandem::machine
