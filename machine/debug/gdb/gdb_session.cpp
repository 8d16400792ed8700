#include "machine/debug/gdb/gdb_session.h"

#include "machine/debug/gdb/gdb_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace tandem::machine {

struct GdbSession::Command {
    std::string_view name; ///< what a packet begins with
    Reply (GdbSession::*run)(PacketCursor);
};

GdbSession::GdbSession(DebugTarget &target) : target_(target), step_bits_(gdb::kStepDefault) {}

void GdbSession::send(std::string_view payload) {
    last_packet_ = frame_packet(payload);
    output += last_packet_;
}

void GdbSession::say(std::string_view text) {
    send(fmt::format("O{}", to_hex(text)));
}

void GdbSession::receive(std::string_view bytes) {
    reader_.add(bytes);
    while (!is_over_) {
        const auto piece = reader_.next();
        if (!piece.has_value()) return;
        switch (piece->kind) {
        case PacketReader::Kind::Interrupt: interrupt(); break;
        case PacketReader::Kind::Repeat:
            if (needs_acks_) output += last_packet_;
            break;
        case PacketReader::Kind::Damaged:
            if (needs_acks_) output += '-';
            break;
        case PacketReader::Kind::Packet:
            if (needs_acks_) output += '+';
            handle(piece->text);
            break;
        }
    }
}

void GdbSession::handle(const std::string &packet) {
    if (const Reply reply = run_command(packet); reply.has_value()) send(*reply);
}

GdbSession::Reply GdbSession::run_command(std::string_view packet) {
    // clang-format off
    static constexpr Command kCommands[] = {
        {"?",      &GdbSession::last_stop},
        {"bc",     &GdbSession::run_back},
        {"bs",     &GdbSession::step_back},
        {"c",      &GdbSession::go_on},
        {"C",      &GdbSession::go_on_with_signal},
        {"D",      &GdbSession::detach},
        {"g",      &GdbSession::read_all_registers},
        {"G",      &GdbSession::write_all_registers},
        {"H",      &GdbSession::select_cpu},
        {"k",      &GdbSession::kill},
        {"m",      &GdbSession::read_memory},
        {"M",      &GdbSession::write_memory},
        {"p",      &GdbSession::read_register},
        {"P",      &GdbSession::write_register},
        {"s",      &GdbSession::step},
        {"S",      &GdbSession::step_with_signal},
        {"T",      &GdbSession::is_alive},
        {"vCont?", &GdbSession::resume_actions},
        {"vCont;", &GdbSession::resume_plan},
        {"vKill",  &GdbSession::kill_process},
        {"X",      &GdbSession::write_binary},
        {"Z",      &GdbSession::insert_point},
        {"z",      &GdbSession::remove_point},
    };
    // clang-format on
    if (packet.starts_with('q') || packet.starts_with('Q')) return run_query(packet);
    for (const Command &command : kCommands) {
        PacketCursor cursor{packet};
        if (cursor.take(command.name)) return (this->*command.run)(cursor);
    }
    return "";
}

// ------------------------------------------------------------------------------------------ stops

void GdbSession::note_stop(u32 cpu, std::string_view reason, unsigned signal) {
    is_running_ = was_reset_ = false;
    cpu_ = resumed_cpu_ = cpu;
    stop_reply_ = fmt::format("T{:02x}", signal);
    const RegisterFile &file = target_.registers();
    if (!file.features.empty())
        for (const unsigned number : {file.frame_pointer, file.stack_pointer, file.program_counter})
            stop_reply_ += fmt::format("{:02x}:{};", number, register_digits(cpu, number));
    stop_reply_ += fmt::format("thread:{:x};{}", cpu + 1, reason);
}

void GdbSession::report(u32 cpu, std::string_view reason, unsigned signal) {
    note_stop(cpu, reason, signal);
    send(stop_reply_);
}

void GdbSession::interrupt() {
    if (!is_running_) return;
    target_.pause();
    report(cpu_, "", gdb::kSigInt);
}

void GdbSession::cpu_stopped(u64 run, u32 cpu, const CpuStop &stop) {
    if (!is_running_ || run != run_) return;
    target_.pause();
    std::string reason;
    if (stop.cause == CpuStop::Cause::Point) {
        switch (stop.point.kind) {
        case DebugPointKind::SoftwareBreakpoint:
            if (knows_swbreak_) reason = "swbreak:;";
            break;
        case DebugPointKind::HardwareBreakpoint:
            if (knows_hwbreak_) reason = "hwbreak:;";
            break;
        case DebugPointKind::WriteWatchpoint:
            reason = fmt::format("watch:{:x};", stop.address);
            break;
        case DebugPointKind::ReadWatchpoint:
            reason = fmt::format("rwatch:{:x};", stop.address);
            break;
        case DebugPointKind::AccessWatchpoint:
            reason = fmt::format("awatch:{:x};", stop.address);
            break;
        }
    }
    if (stop.cause == CpuStop::Cause::HistoryBegin) reason = "replaylog:begin;";
    if (stop.cause == CpuStop::Cause::HistoryEnd) reason = "replaylog:end;";
    report(cpu, reason, gdb::kSigTrap);
}

void GdbSession::machine_event(MachineEvent event, EventCause cause) {
    switch (event) {
    case MachineEvent::Stop:
        // Not one that has been overtaken.
        if (!is_running_ || target_.is_running()) break;
        report(was_reset_ ? 0 : cpu_, "", was_reset_ ? gdb::kSigTrap : gdb::kSigInt);
        break;
    case MachineEvent::Reset:
        if (!is_running_) break;
        was_reset_ = true;
        say("tandem: the machine was reset; it stands at its first instruction\n");
        break;
    case MachineEvent::Shutdown:
        if (is_running_) send(cause == EventCause::HostError ? "W01" : "W00");
        is_running_ = false;
        is_over_ = true;
        break;
    case MachineEvent::Resume:
    case MachineEvent::PowerDown: break;
    }
}

} // namespace tandem::machine
