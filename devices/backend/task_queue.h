#pragma once
/// Threads of the host, as a device sees them: for what may take long, such as files. machine/host
/// implements it, machine/replay wraps it.
#include <span>

namespace tandem::devices {

/// The device owns it and keeps it until run() has returned.
class Task {
public:
    virtual ~Task() = default;
    /// Called exactly once, from any thread, perhaps before submit() returns.
    virtual void run() = 0;
};

class TaskQueue {
public:
    virtual ~TaskQueue() = default;
    /// Starts the tasks; they may run at once and end in any order. No lock of the device is held.
    virtual void submit(std::span<Task *const> tasks) = 0;
    /// Returns when every task submitted before has run.
    virtual void drain() = 0;
};

} // namespace tandem::devices
