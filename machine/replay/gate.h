#pragma once
/// Where the outside enters a deterministic machine. Back ends' decorators are its ports: what they
/// get of the host waits with them until the machine stands between two instructions, and enters at
/// that moment.
#include "machine/replay/virtual_clock.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

namespace tandem::machine::replay {

/// Ports are numbered in the order in which the machine's configuration makes them.
enum class PortId : u32 {};

class GatePort {
public:
    virtual ~GatePort() = default;
    /// Lets in what the host has by now.
    virtual void admit() = 0;
};

class Gate {
public:
    static constexpr u64 kNever = VirtualClock::kNever;

    /// The clock outlives the gate.
    explicit Gate(const VirtualClock &clock) : clock_(clock) {}
    Gate(const Gate &) = delete;
    Gate &operator=(const Gate &) = delete;

    // --- while the machine is built ---
    [[nodiscard]] PortId add(GatePort &port);
    /// Things may arrive at any time: while the guest idles, its time passes as the host's does.
    void pace() { is_paced_ = true; }
    /// Called by any thread when something has arrived.
    void set_alarm(std::function<void()> alarm) { alarm_ = std::move(alarm); }

    // --- any thread ---
    /// Something waits at a port.
    void arrived();
    /// Ends wait().
    void wake();

    // --- the machine's thread, between two instructions ---
    /// Lets in what has arrived; once in a moment, so that time tells inputs apart.
    void admit();
    /// Something waits for a later moment than this.
    [[nodiscard]] bool is_waiting() const { return has_arrived_; }
    /// Waits until something arrives or for so long; returns how much guest time that took.
    [[nodiscard]] u64 wait(u64 ns);

    // --- ports ---
    /// Something leaves the machine.
    void sent(PortId port, std::span<const std::byte> bytes);

    [[nodiscard]] u64 outputs() const { return outputs_; }

private:
    const VirtualClock &clock_;
    std::vector<GatePort *> ports_;
    std::function<void()> alarm_;
    bool is_paced_ = false;
    u64 last_admission_ = kNever;
    u64 outputs_ = 0;
    std::atomic<bool> has_arrived_ = false;
    std::mutex mutex_; ///< guards what follows
    std::condition_variable changed_;
    bool is_woken_ = false;
};

} // namespace tandem::machine::replay
