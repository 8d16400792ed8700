#pragma once
/// Looks at the threads that run CPUs, again and again: a thread of its own sends each a signal,
/// whose handler notes what it has interrupted. What a sample weighs is the CPU time that its
/// thread has used since the one before, so neither late signals nor a busy host distort shares.
#include "machine/profile/sample.h"

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <vector>

namespace tandem::machine::profile {

/// Where a signal has interrupted a thread.
struct HostRegisters {
    const void *pc = nullptr;
    const void *sp = nullptr;
};

/// A CPU as its thread's signal handler sees it.
class SampledCpu {
public:
    /// Fills in everything but the weight. Async-signal-safe, on the CPU's thread.
    virtual void capture(const HostRegisters &, Sample &) const noexcept = 0;

protected:
    ~SampledCpu() = default;
};

class Sampler {
public:
    /// Gets samples, on the sampler's thread, or where the sampler or a thread's scope ends.
    using Sink = std::function<void(const Sample &)>;

    Sampler(unsigned rate_hz, Sink sink);
    ~Sampler();
    Sampler(const Sampler &) = delete;
    Sampler &operator=(const Sampler &) = delete;

    struct Totals {
        u64 idle_ns = 0;  ///< of host time, over all threads, that CPUs waited
        u64 taken = 0;    ///< samples
        u64 deferred = 0; ///< samples that found no room: their time went to the next one
    };
    [[nodiscard]] Totals totals() const;

    struct Slot;
    /// While it lives the calling thread is sampled. Does nothing without a sampler.
    class ThreadScope {
    public:
        explicit ThreadScope(Sampler *);
        ~ThreadScope();
        ThreadScope(const ThreadScope &) = delete;
        ThreadScope &operator=(const ThreadScope &) = delete;

    private:
        Sampler *sampler_;
    };
    /// While it lives the calling thread executes this CPU.
    class CpuScope {
    public:
        explicit CpuScope(const SampledCpu *);
        ~CpuScope();
        CpuScope(const CpuScope &) = delete;
        CpuScope &operator=(const CpuScope &) = delete;

    private:
        Slot *slot_;
    };
    /// While it lives the calling thread's CPU waits: its time is counted, and not sampled.
    class IdleScope {
    public:
        IdleScope();
        ~IdleScope();
        IdleScope(const IdleScope &) = delete;
        IdleScope &operator=(const IdleScope &) = delete;

    private:
        Slot *slot_;
        u64 began_ = 0;
        u64 unsampled_ = 0; ///< CPU time before it that no sample has yet
    };

private:
    void work();
    void drain(Slot &);

    const u64 interval_ns_;
    const Sink sink_;
    mutable std::mutex mutex_; ///< guards what follows
    std::vector<std::unique_ptr<Slot>> slots_;
    Totals totals_; ///< of slots that are gone
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

} // namespace tandem::machine::profile
