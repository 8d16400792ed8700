#pragma once
/// Where the outside enters a deterministic machine. Back ends' decorators are its ports: what the
/// host has for them waits there until the machine stands between two instructions, enters at that
/// moment, and is recorded; or a recording has it in place of the host.
#include "machine/replay/journal/journal_reader.h"
#include "machine/replay/journal/journal_writer.h"
#include "machine/replay/virtual_clock.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

namespace tandem::machine::replay {

class GatePort {
public:
    virtual ~GatePort() = default;
    /// Takes the next piece of what the host has by now, of at most kMaxInput bytes, perhaps none;
    /// false: there is no piece, or no room for it.
    [[nodiscard]] virtual bool fetch(std::vector<std::byte> &piece) = 0;
    /// It enters the machine. One of a recording may be anything.
    virtual void enter(std::span<const std::byte> piece) = 0;
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
    /// What enters is written there. It outlives the gate, like the other.
    void record(JournalWriter &journal) { recorder_ = &journal; }
    /// What enters comes from there, and the host has nothing.
    void replay(JournalReader &journal) {
        replayed_ = &journal;
        is_live_ = false;
    }

    // --- any thread ---
    /// Something waits at a port.
    void arrived();
    /// Ends wait().
    void wake();
    /// The machine is connected to its host, and not to a recording.
    [[nodiscard]] bool is_live() const { return is_live_; }

    // --- the machine's thread, between two instructions ---
    /// Lets in what has arrived, when called for the first time in a moment: so the moment alone
    /// says when an input entered.
    void admit();
    /// Something waits for a later moment than this.
    [[nodiscard]] bool is_waiting() const { return has_arrived_; }
    /// Of the recording's next entry; kNever without a recording.
    [[nodiscard]] u64 next_moment() const;
    /// The recording ends now.
    [[nodiscard]] bool is_over() const;
    /// From now on what enters comes from the host, from the next moment on.
    void go_live();
    /// Waits until something arrives or for so long; returns how much guest time that took.
    [[nodiscard]] u64 wait(u64 ns);

    // --- ports ---
    /// Something leaves the machine.
    void sent(PortId port, std::span<const std::byte> bytes);
    /// How the host answered when the machine waited for it: 0, which goes without saying, or what
    /// went wrong. Returns the answer that the machine gets.
    [[nodiscard]] u8 answer(PortId port, u8 of_host);
    /// What the host has for a machine that wants it at this moment, when a timer expires: it fills
    /// the bytes, or a recording does. At most kMaxInput bytes, zeros where there is nothing.
    void take(PortId port, std::span<std::byte> bytes, const std::function<void()> &ask_host);

    [[nodiscard]] u64 outputs() const { return outputs_; }

    /// The machine's thread, between two instructions: what has entered and left by now.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    [[nodiscard]] const InputEntry *next_input() const;
    void admit_recorded();

    const VirtualClock &clock_;
    JournalWriter *recorder_ = nullptr;
    JournalReader *replayed_ = nullptr;
    std::vector<GatePort *> ports_;
    std::vector<std::byte> piece_;
    std::function<void()> alarm_;
    bool is_paced_ = false;
    u64 last_admission_ = kNever;
    u64 outputs_ = 0;
    std::atomic<bool> is_live_ = true;
    std::atomic<bool> has_arrived_ = false;
    std::mutex mutex_; ///< guards what follows
    std::condition_variable changed_;
    bool is_woken_ = false;
};

} // namespace tandem::machine::replay
