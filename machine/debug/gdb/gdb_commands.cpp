/// The commands of GdbSession: registers, memory, breakpoints, and going on.
#include "machine/debug/gdb/gdb_reply.h"
#include "machine/debug/gdb/gdb_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

namespace tandem::machine {

using gdb::error_text;
using gdb::kBadAddress;
using gdb::kBadArgument;
using gdb::kNoSuchThread;
using gdb::kOk;
using gdb::kTooMany;

namespace {

/// A thread's name in the protocol: a number from 1, 0 for any, -1 for all. Null if it is none.
struct ThreadName {
    bool is_all = false;
    u64 number = 0;
};
std::optional<ThreadName> take_thread(PacketCursor &cursor) {
    if (cursor.take("-1")) return ThreadName{true, 0};
    const std::optional<u64> number = cursor.take_hex();
    if (!number.has_value()) return std::nullopt;
    return ThreadName{false, *number};
}

struct AddressAndLength {
    u64 address = 0, length = 0;
};
/// ADDRESS,LENGTH
std::optional<AddressAndLength> take_range(PacketCursor &cursor) {
    const std::optional<u64> address = cursor.take_hex();
    if (!address.has_value() || !cursor.take(",")) return std::nullopt;
    const std::optional<u64> length = cursor.take_hex();
    if (!length.has_value()) return std::nullopt;
    return AddressAndLength{*address, *length};
}

} // namespace

GdbSession::Reply GdbSession::last_stop(PacketCursor) {
    target_.pause();
    if (stop_reply_.empty() || is_running_) note_stop(cpu_, "", gdb::kSigTrap);
    return stop_reply_;
}

GdbSession::Reply GdbSession::detach(PacketCursor) {
    is_over_ = has_detached_ = true;
    is_running_ = false;
    return std::string{kOk};
}

GdbSession::Reply GdbSession::kill(PacketCursor) {
    is_over_ = true;
    target_.quit();
    return std::nullopt;
}

GdbSession::Reply GdbSession::kill_process(PacketCursor) {
    is_over_ = true;
    target_.quit();
    return std::string{kOk};
}

GdbSession::Reply GdbSession::select_cpu(PacketCursor cursor) {
    const bool is_for_resuming = cursor.take("c");
    if (!is_for_resuming && !cursor.take("g")) return std::string{kBadArgument};
    const std::optional<ThreadName> thread = take_thread(cursor);
    if (!thread.has_value() || !cursor.is_at_end()) return std::string{kBadArgument};
    if (thread->number > target_.cpu_count()) return std::string{kNoSuchThread};
    if (thread->number == 0) return std::string{kOk};
    (is_for_resuming ? resumed_cpu_ : cpu_) = static_cast<u32>(thread->number - 1);
    return std::string{kOk};
}

GdbSession::Reply GdbSession::is_alive(PacketCursor cursor) {
    const std::optional<u64> thread = cursor.take_hex();
    if (!thread.has_value() || *thread == 0 || *thread > target_.cpu_count())
        return std::string{kNoSuchThread};
    return std::string{kOk};
}

// -------------------------------------------------------------------------------------- registers

std::string GdbSession::register_digits(u32 cpu, std::size_t number) {
    std::array<std::byte, 16> value{};
    const auto bytes = std::span(value).first(target_.registers().at(number).bytes());
    target_.read_register(cpu, number, bytes);
    return to_hex(bytes);
}

GdbSession::Reply GdbSession::read_all_registers(PacketCursor) {
    std::string digits;
    for (std::size_t i = 0; i < target_.registers().all_at_once; ++i)
        digits += register_digits(cpu_, i);
    return digits;
}

GdbSession::Reply GdbSession::read_register(PacketCursor cursor) {
    const std::optional<u64> number = cursor.take_hex();
    if (!number.has_value() || *number >= target_.registers().count())
        return std::string{kBadArgument};
    return register_digits(cpu_, *number);
}

GdbSession::Reply GdbSession::write_one(std::size_t number, std::string_view digits) {
    const auto bytes = from_hex(digits);
    if (!bytes.has_value() || bytes->size() != target_.registers().at(number).bytes())
        return std::string{kBadArgument};
    const Result<> written = target_.write_register(cpu_, number, *bytes);
    return written.has_value() ? std::string{kOk} : error_text(written.error().message);
}

GdbSession::Reply GdbSession::write_register(PacketCursor cursor) {
    const std::optional<u64> number = cursor.take_hex();
    if (!number.has_value() || *number >= target_.registers().count() || !cursor.take("="))
        return std::string{kBadArgument};
    return write_one(*number, cursor.rest());
}

GdbSession::Reply GdbSession::write_all_registers(PacketCursor cursor) {
    std::string_view digits = cursor.rest();
    const RegisterFile &file = target_.registers();
    for (std::size_t i = 0; i < file.all_at_once && !digits.empty(); ++i) {
        const std::size_t length = std::min(digits.size(), file.at(i).bytes() * 2);
        Reply reply = write_one(i, digits.substr(0, length));
        if (reply != kOk) return reply;
        digits.remove_prefix(length);
    }
    return std::string{digits.empty() ? kOk : kBadArgument};
}

// ----------------------------------------------------------------------------------------- memory

AddressSpace GdbSession::space() const {
    return is_physical_ ? AddressSpace{} : AddressSpace{cpu_};
}

GdbSession::Reply GdbSession::read_memory(PacketCursor cursor) {
    const auto range = take_range(cursor);
    if (!range.has_value() || !cursor.is_at_end()) return std::string{kBadArgument};
    if (range->length == 0) return "";
    // Less than was asked for is an answer, too.
    std::vector<std::byte> bytes(std::min<u64>(range->length, PacketReader::kMaxPacket / 2));
    const std::size_t got = target_.read_memory(space(), range->address, bytes);
    if (got == 0) return std::string{kBadAddress};
    return to_hex(std::span(bytes).first(got));
}

GdbSession::Reply GdbSession::write_memory(PacketCursor cursor) {
    const auto range = take_range(cursor);
    if (!range.has_value() || !cursor.take(":")) return std::string{kBadArgument};
    const auto bytes = from_hex(cursor.rest());
    if (!bytes.has_value() || bytes->size() != range->length) return std::string{kBadArgument};
    const std::size_t written = target_.write_memory(space(), range->address, *bytes);
    return std::string{written == bytes->size() ? kOk : kBadAddress};
}

GdbSession::Reply GdbSession::write_binary(PacketCursor cursor) {
    const auto range = take_range(cursor);
    if (!range.has_value() || !cursor.take(":") || cursor.rest().size() != range->length)
        return std::string{kBadArgument};
    const auto bytes = std::as_bytes(std::span(cursor.rest()));
    const std::size_t written = target_.write_memory(space(), range->address, bytes);
    return std::string{written == bytes.size() ? kOk : kBadAddress};
}

// ------------------------------------------------------------------- breakpoints and watchpoints

GdbSession::Reply GdbSession::change_point(PacketCursor cursor, bool inserts) {
    const std::optional<u64> type = cursor.take_hex();
    if (!type.has_value() || !cursor.take(",")) return std::string{kBadArgument};
    if (*type > static_cast<u64>(DebugPointKind::AccessWatchpoint)) return "";
    const auto range = take_range(cursor);
    if (!range.has_value()) return std::string{kBadArgument};
    DebugPoint point{static_cast<DebugPointKind>(*type), range->address, range->length};
    if (point.is_breakpoint())
        point.length = 1; // the client's is the instruction's
    else if (point.length == 0 || point.address + (point.length - 1) < point.address)
        return std::string{kBadArgument};
    const auto found = std::ranges::find(points_, point);
    if (inserts && found == points_.end()) {
        if (points_.size() == kMaxPoints) return std::string{kTooMany};
        points_.push_back(point);
    } else if (!inserts && found != points_.end()) {
        points_.erase(found);
    }
    target_.set_points(points_);
    return std::string{kOk};
}

GdbSession::Reply GdbSession::insert_point(PacketCursor cursor) {
    return change_point(cursor, true);
}

GdbSession::Reply GdbSession::remove_point(PacketCursor cursor) {
    return change_point(cursor, false);
}

// --------------------------------------------------------------------------------------- going on

GdbSession::Reply GdbSession::resume(std::vector<CpuPlan> plans) {
    bool any_runs = false, all_step = true;
    for (u32 cpu = 0; cpu < plans.size(); ++cpu) {
        CpuPlan &plan = plans[cpu];
        plan.holds_interrupts = (step_bits_ & gdb::kStepNoInterrupts) != 0;
        if (plan.kind == CpuPlan::Kind::Hold || !target_.is_cpu_on(cpu)) continue;
        any_runs = true;
        all_step = all_step && plan.kind != CpuPlan::Kind::Run;
    }
    if (!any_runs) {
        // Only CPUs that are off were to go on: nothing would ever happen.
        note_stop(resumed_cpu_, "", gdb::kSigTrap);
        return stop_reply_;
    }
    is_running_ = true;
    was_reset_ = false;
    const bool stands = all_step && (step_bits_ & gdb::kStepNoTimers) != 0;
    run_ = target_.resume(plans, stands ? GuestClock::Stands : GuestClock::Runs);
    return std::nullopt;
}

GdbSession::Reply GdbSession::resume_selected(CpuPlan::Kind kind, PacketCursor cursor) {
    if (!cursor.is_at_end()) {
        const std::optional<u64> address = cursor.take_hex();
        if (!address.has_value() || !cursor.is_at_end()) return std::string{kBadArgument};
        const Result<> written =
            target_.write_register(resumed_cpu_, target_.registers().program_counter,
                                   std::as_bytes(std::span(&*address, 1)));
        if (!written.has_value()) return error_text(written.error().message);
    }
    std::vector<CpuPlan> plans(target_.cpu_count());
    plans[resumed_cpu_].kind = kind;
    return resume(std::move(plans));
}

GdbSession::Reply GdbSession::go_on(PacketCursor cursor) {
    return resume_selected(CpuPlan::Kind::Run, cursor);
}

GdbSession::Reply GdbSession::step(PacketCursor cursor) {
    return resume_selected(CpuPlan::Kind::Step, cursor);
}

// SIGNAL[;ADDRESS]: CPUs have no signals.
GdbSession::Reply GdbSession::go_on_with_signal(PacketCursor cursor) {
    static_cast<void>(cursor.take_until(';'));
    return go_on(cursor);
}

GdbSession::Reply GdbSession::step_with_signal(PacketCursor cursor) {
    static_cast<void>(cursor.take_until(';'));
    return step(cursor);
}

GdbSession::Reply GdbSession::resume_actions(PacketCursor) {
    return "vCont;c;C;s;S;t;r";
}

GdbSession::Reply GdbSession::resume_plan(PacketCursor cursor) {
    static constexpr struct {
        char letter;
        CpuPlan::Kind kind;
        bool has_signal;
    } kActions[] = {
        {'c', CpuPlan::Kind::Run, false},   {'C', CpuPlan::Kind::Run, true},
        {'s', CpuPlan::Kind::Step, false},  {'S', CpuPlan::Kind::Step, true},
        {'r', CpuPlan::Kind::Range, false}, {'t', CpuPlan::Kind::Hold, false},
    };
    std::vector<std::optional<CpuPlan>> chosen(target_.cpu_count());
    while (!cursor.is_at_end()) {
        PacketCursor text{cursor.take_until(';')};
        const auto action = std::ranges::find_if(
            kActions, [&](const auto &each) { return text.take({&each.letter, 1}); });
        if (action == std::end(kActions)) return std::string{kBadArgument};
        CpuPlan plan{.kind = action->kind};
        if (action->has_signal && !text.take_hex().has_value()) return std::string{kBadArgument};
        if (action->kind == CpuPlan::Kind::Range) {
            const auto range = take_range(text);
            if (!range.has_value()) return std::string{kBadArgument};
            plan.first = range->address;
            plan.end = range->length;
        }
        std::optional<u64> only;
        if (text.take(":")) {
            const std::optional<ThreadName> thread = take_thread(text);
            if (!thread.has_value()) return std::string{kBadArgument};
            if (!thread->is_all && thread->number != 0) only = thread->number - 1;
            if (only.has_value() && *only >= chosen.size()) return std::string{kNoSuchThread};
        }
        if (!text.is_at_end()) return std::string{kBadArgument};
        // Of the actions for a thread the first counts.
        for (std::size_t cpu = 0; cpu < chosen.size(); ++cpu)
            if ((!only.has_value() || *only == cpu) && !chosen[cpu].has_value()) chosen[cpu] = plan;
    }
    std::vector<CpuPlan> plans;
    for (const std::optional<CpuPlan> &plan : chosen)
        plans.push_back(plan.value_or(CpuPlan{.kind = CpuPlan::Kind::Hold}));
    const auto stepping = std::ranges::find_if(plans, [](const CpuPlan &plan) {
        return plan.kind == CpuPlan::Kind::Step || plan.kind == CpuPlan::Kind::Range;
    });
    if (stepping != plans.end()) resumed_cpu_ = static_cast<u32>(stepping - plans.begin());
    return resume(std::move(plans));
}

GdbSession::Reply GdbSession::resume_backwards(DebugTarget::Backwards how) {
    if (!target_.goes_backwards()) return error_text("only a replay goes backwards");
    is_running_ = true;
    was_reset_ = false;
    run_ = target_.resume_backwards(how);
    return std::nullopt;
}

GdbSession::Reply GdbSession::step_back(PacketCursor) {
    return resume_backwards(DebugTarget::Backwards::Step);
}

GdbSession::Reply GdbSession::run_back(PacketCursor) {
    return resume_backwards(DebugTarget::Backwards::Run);
}

} // namespace tandem::machine
