#pragma once
/// One debugger's connection: gdb's remote serial protocol as bytes in and bytes out, on any
/// machine/debug/target.h. Threads are CPUs, numbered from 1; there is one process. The target
/// stops as a whole.
#include "machine/control/machine_control.h"
#include "machine/debug/gdb/packet.h"
#include "machine/debug/target.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine {

class GdbSession {
public:
    /// The target is the caller's to attach() before and detach() after, as how_it_ended() says.
    explicit GdbSession(DebugTarget &);

    /// Carries out what is whole of the client's bytes.
    void receive(std::string_view bytes);
    /// Passed on from DebugClient.
    void cpu_stopped(u64 run, u32 cpu, const CpuStop &);
    /// Passed on from MachineObserver.
    void machine_event(MachineEvent, EventCause);

    /// The connection ends when `output` has been sent.
    [[nodiscard]] bool is_over() const { return is_over_; }
    /// A client that just vanishes leaves the machine as it is for the next.
    [[nodiscard]] DebugTarget::AfterDetach how_it_ended() const {
        return has_detached_ ? DebugTarget::AfterDetach::Runs
                             : DebugTarget::AfterDetach::StaysStopped;
    }

    /// For the client; the caller takes off what it has sent.
    std::string output;

private:
    /// Nothing: the answer comes later, or there is none. An empty one: what is that?
    using Reply = std::optional<std::string>;
    struct Command;
    struct Query;
    static constexpr std::size_t kMaxPoints = 1024;

    void handle(const std::string &packet);
    void send(std::string_view payload);
    /// Text on the client's console, while the target runs.
    void say(std::string_view text);

    [[nodiscard]] Reply run_command(std::string_view packet);
    [[nodiscard]] Reply run_query(std::string_view packet);

    // One for each command: what follows its letter, and the answer. (gdb_commands.cpp)
    Reply last_stop(PacketCursor);
    Reply detach(PacketCursor);
    Reply kill(PacketCursor);
    Reply kill_process(PacketCursor);
    Reply select_cpu(PacketCursor);
    Reply is_alive(PacketCursor);
    Reply read_all_registers(PacketCursor);
    Reply write_all_registers(PacketCursor);
    Reply read_register(PacketCursor);
    Reply write_register(PacketCursor);
    Reply read_memory(PacketCursor);
    Reply write_memory(PacketCursor);
    Reply write_binary(PacketCursor);
    Reply insert_point(PacketCursor);
    Reply remove_point(PacketCursor);
    Reply go_on(PacketCursor);
    Reply go_on_with_signal(PacketCursor);
    Reply step(PacketCursor);
    Reply step_with_signal(PacketCursor);
    Reply resume_actions(PacketCursor);
    Reply resume_plan(PacketCursor);
    Reply step_back(PacketCursor);
    Reply run_back(PacketCursor);

    // Queries. (gdb_queries.cpp)
    Reply supported(PacketCursor);
    Reply start_no_ack(PacketCursor);
    Reply current_cpu(PacketCursor);
    Reply first_threads(PacketCursor);
    Reply further_threads(PacketCursor);
    Reply thread_information(PacketCursor);
    Reply is_attached(PacketCursor);
    Reply host_information(PacketCursor);
    Reply transfer_features(PacketCursor);
    Reply transfer_threads(PacketCursor);
    Reply monitor(PacketCursor);
    Reply step_bit_names(PacketCursor);
    Reply step_bits(PacketCursor);
    Reply set_step_bits(PacketCursor);
    Reply physical_mode(PacketCursor);
    Reply set_physical_mode(PacketCursor);

    [[nodiscard]] AddressSpace space() const;
    [[nodiscard]] std::string describe_cpu(u32 cpu);
    [[nodiscard]] std::string register_digits(u32 cpu, std::size_t number);
    [[nodiscard]] Reply write_one(std::size_t number, std::string_view digits);
    [[nodiscard]] Reply change_point(PacketCursor, bool inserts);
    /// By the single-letter commands: `kind` for the selected CPU, the others run.
    [[nodiscard]] Reply resume_selected(CpuPlan::Kind kind, PacketCursor address);
    [[nodiscard]] Reply resume(std::vector<CpuPlan> plans);
    [[nodiscard]] Reply resume_backwards(DebugTarget::Backwards);
    void interrupt();
    /// The machine has stopped for the client: makes stop_reply_.
    void note_stop(u32 cpu, std::string_view reason, unsigned signal);
    void report(u32 cpu, std::string_view reason, unsigned signal);

    DebugTarget &target_;
    PacketReader reader_;
    std::string last_packet_; ///< as sent, for a peer that missed it
    std::string stop_reply_;  ///< the last one's payload
    bool needs_acks_ = true;
    bool is_running_ = false; ///< as the client sees it: it waits for a stop
    bool was_reset_ = false;  ///< in this run
    bool is_over_ = false, has_detached_ = false;
    bool knows_swbreak_ = false, knows_hwbreak_ = false;
    bool is_physical_ = false;
    u64 run_ = 0; ///< the target's number of the last resume()
    u32 cpu_ = 0; ///< that registers and memory are read of
    u32 resumed_cpu_ = 0;
    u64 step_bits_;
    std::vector<DebugPoint> points_;
};

} // namespace tandem::machine
