/// The queries of GdbSession: what it can do, threads, descriptions, the monitor.
#include "machine/debug/gdb/gdb_reply.h"
#include "machine/debug/gdb/gdb_session.h"
#include "machine/debug/gdb/target_description.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine {

using gdb::kBadArgument;
using gdb::kNoSuchThread;
using gdb::kOk;

struct GdbSession::Query {
    std::string_view name; ///< what a packet begins with
    Reply (GdbSession::*run)(PacketCursor);
};

namespace {

/// OFFSET,LENGTH: a part of a document.
std::string part_of(std::string_view document, PacketCursor cursor) {
    const std::optional<u64> offset = cursor.take_hex();
    if (!offset.has_value() || !cursor.take(",")) return std::string{kBadArgument};
    const std::optional<u64> length = cursor.take_hex();
    if (!length.has_value() || *offset > document.size()) return std::string{kBadArgument};
    const std::string_view part = document.substr(
        *offset, std::min<u64>(*length, PacketReader::kMaxPacket / 2)); // escapes double it
    const bool is_last = *offset + part.size() == document.size();
    return fmt::format("{}{}", is_last ? 'l' : 'm', part);
}

} // namespace

GdbSession::Reply GdbSession::run_query(std::string_view packet) {
    // clang-format off
    static constexpr Query kQueries[] = {
        {"qAttached",                     &GdbSession::is_attached},
        {"qC",                            &GdbSession::current_cpu},
        {"qfThreadInfo",                  &GdbSession::first_threads},
        {"qsThreadInfo",                  &GdbSession::further_threads},
        {"qHostInfo",                     &GdbSession::host_information},
        {"qRcmd,",                        &GdbSession::monitor},
        {"QStartNoAckMode",               &GdbSession::start_no_ack},
        {"qSupported",                    &GdbSession::supported},
        {"qThreadExtraInfo,",             &GdbSession::thread_information},
        {"qXfer:features:read:target.xml:", &GdbSession::transfer_features},
        {"qXfer:threads:read::",          &GdbSession::transfer_threads},
        // QEMU's own.
        {"qqemu.sstepbits",               &GdbSession::step_bit_names},
        {"qqemu.sstep",                   &GdbSession::step_bits},
        {"Qqemu.sstep=",                  &GdbSession::set_step_bits},
        {"qqemu.PhyMemMode",              &GdbSession::physical_mode},
        {"Qqemu.PhyMemMode:",             &GdbSession::set_physical_mode},
    };
    // clang-format on
    // Longer names first: one may begin with another.
    const Query *best = nullptr;
    for (const Query &query : kQueries)
        if (packet.starts_with(query.name) &&
            (best == nullptr || query.name.size() > best->name.size()))
            best = &query;
    if (best == nullptr) return "";
    PacketCursor cursor{packet.substr(best->name.size())};
    // A name ends where its arguments begin; qC is no qCRC.
    const char last = best->name.back();
    const bool has_delimiter = last == ':' || last == ',' || last == '=';
    if (!has_delimiter && !cursor.is_at_end() && cursor.rest().front() != ':') return "";
    return (this->*best->run)(cursor);
}

GdbSession::Reply GdbSession::supported(PacketCursor cursor) {
    static_cast<void>(cursor.take(":"));
    while (!cursor.is_at_end()) {
        const std::string_view feature = cursor.take_until(';');
        if (feature == "swbreak+") knows_swbreak_ = true;
        if (feature == "hwbreak+") knows_hwbreak_ = true;
    }
    return fmt::format("PacketSize={:x};QStartNoAckMode+;vContSupported+;qXfer:features:read+;"
                       "qXfer:threads:read+;swbreak+;hwbreak+{}",
                       PacketReader::kMaxPacket,
                       target_.goes_backwards() ? ";ReverseStep+;ReverseContinue+" : "");
}

GdbSession::Reply GdbSession::start_no_ack(PacketCursor) {
    needs_acks_ = false;
    return std::string{kOk};
}

GdbSession::Reply GdbSession::is_attached(PacketCursor) {
    return "1"; // the machine was there before: a client that leaves detaches
}

// ---------------------------------------------------------------------------------------- threads

std::string GdbSession::describe_cpu(u32 cpu) {
    return fmt::format("CPU {} ({})", cpu, target_.is_cpu_on(cpu) ? "on" : "off");
}

GdbSession::Reply GdbSession::current_cpu(PacketCursor) {
    return fmt::format("QC{:x}", cpu_ + 1);
}

GdbSession::Reply GdbSession::first_threads(PacketCursor) {
    std::string threads{"m"};
    for (u32 cpu = 0; cpu < target_.cpu_count(); ++cpu)
        threads += fmt::format("{}{:x}", cpu == 0 ? "" : ",", cpu + 1);
    return threads;
}

GdbSession::Reply GdbSession::further_threads(PacketCursor) {
    return "l";
}

GdbSession::Reply GdbSession::thread_information(PacketCursor cursor) {
    const std::optional<u64> thread = cursor.take_hex();
    if (!thread.has_value() || *thread == 0 || *thread > target_.cpu_count())
        return std::string{kNoSuchThread};
    return to_hex(describe_cpu(static_cast<u32>(*thread - 1)));
}

GdbSession::Reply GdbSession::transfer_threads(PacketCursor cursor) {
    std::string document{"<?xml version=\"1.0\"?>\n<threads>\n"};
    for (u32 cpu = 0; cpu < target_.cpu_count(); ++cpu)
        document += fmt::format("<thread id=\"{:x}\" core=\"{}\">{}</thread>\n", cpu + 1, cpu,
                                describe_cpu(cpu));
    document += "</threads>\n";
    return part_of(document, cursor);
}

// ----------------------------------------------------------------------------------- descriptions

GdbSession::Reply GdbSession::transfer_features(PacketCursor cursor) {
    return part_of(describe_target(target_.registers()), cursor);
}

/// For lldb. A watchpoint is told before its access.
GdbSession::Reply GdbSession::host_information(PacketCursor) {
    return fmt::format("triple:{};endian:little;ptrsize:8;watchpoint_exceptions_received:before;",
                       to_hex(fmt::format("{}-unknown-unknown", target_.registers().architecture)));
}

// ---------------------------------------------------------------------------------------- monitor

GdbSession::Reply GdbSession::monitor(PacketCursor cursor) {
    const auto bytes = from_hex(cursor.rest());
    if (!bytes.has_value()) return std::string{kBadArgument};
    std::string line(reinterpret_cast<const char *>(bytes->data()), bytes->size());
    // The monitor's current CPU is the client's.
    std::string text = target_.run_monitor_command(line, cpu_);
    std::erase(text, '\r');
    return text.empty() ? std::string{kOk} : to_hex(text);
}

// --------------------------------------------------------------------------------- QEMU's packets

GdbSession::Reply GdbSession::step_bit_names(PacketCursor) {
    return "ENABLE=1,NOIRQ=2,NOTIMER=4";
}

GdbSession::Reply GdbSession::step_bits(PacketCursor) {
    return fmt::format("0x{:x}", step_bits_);
}

GdbSession::Reply GdbSession::set_step_bits(PacketCursor cursor) {
    static_cast<void>(cursor.take("0x"));
    const std::optional<u64> bits = cursor.take_hex();
    if (!bits.has_value() || !cursor.is_at_end() || (*bits & ~gdb::kStepDefault) != 0)
        return std::string{kBadArgument};
    step_bits_ = *bits;
    return std::string{kOk};
}

GdbSession::Reply GdbSession::physical_mode(PacketCursor) {
    return is_physical_ ? "1" : "0";
}

GdbSession::Reply GdbSession::set_physical_mode(PacketCursor cursor) {
    const bool wanted = cursor.take("1");
    if (!wanted && !cursor.take("0")) return std::string{kBadArgument};
    if (!cursor.is_at_end()) return std::string{kBadArgument};
    is_physical_ = wanted;
    return std::string{kOk};
}

} // namespace tandem::machine
