#pragma once
/// A thread that waits for the signals that end the program, and for its time limit.
#include "support/bits.h"
#include "support/scoped_fd.h"

#include <csignal>
#include <functional>
#include <thread>

namespace tandem::machine {

class Watcher {
public:
    /// Blocks the signals in the calling thread and in those it starts later: create this before
    /// any other thread. `on_signal` and `on_timeout` run on the watcher's thread.
    /// timeout_ns 0: no limit.
    Watcher(u64 timeout_ns, std::function<void(int signal)> on_signal,
            std::function<void()> on_timeout);
    Watcher(const Watcher &) = delete;
    Watcher &operator=(const Watcher &) = delete;
    ~Watcher();

private:
    void run(u64 timeout_ns);

    std::function<void(int)> on_signal_;
    std::function<void()> on_timeout_;
    sigset_t signals_{};
    ScopedFd signal_fd_, stop_event_;
    std::thread thread_;
};

} // namespace tandem::machine
