#include "machine/semihosting/semihosting.h"

#include "frontend-arm/state/arm_state.h"
#include "machine/semihosting/guest_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace tandem::machine {
namespace {

constexpr u64 kFailed = ~u64{0};
/// What one call moves at most; it says how much that was, and programs go on with the rest.
constexpr u64 kMaxMove = 64 << 10;
constexpr u64 kMaxName = 4096;
constexpr u64 kTicksPerSecond = 1'000'000'000;
constexpr u64 kApplicationExit = 0x2'0026; ///< ADP_Stopped_ApplicationExit
constexpr u8 kExitAbnormal = 1;
constexpr std::size_t kMaxParameters = 4;

std::span<std::byte> as_bytes(auto &value) {
    return std::as_writable_bytes(std::span(&value, 1));
}

} // namespace

struct Semihosting::Call {
    arm::ArmState &cpu;
    GuestView memory;
    u64 parameter;                              ///< X1
    std::array<u64, kMaxParameters> words = {}; ///< the block it points to
};

struct Semihosting::Answer {
    u64 value = 0;
    Completion completion = Completion::Done;
};

struct Semihosting::Operation {
    u32 number;
    u8 words; ///< of the parameter block that are read beforehand
    Answer (Semihosting::*perform)(Call &);
};

// clang-format off
const Semihosting::Operation Semihosting::kOperations[] = {
    {0x01, 3, &Semihosting::open},
    {0x02, 1, &Semihosting::close},
    {0x03, 0, &Semihosting::write_character},
    {0x04, 0, &Semihosting::write_text},
    {0x05, 3, &Semihosting::write},
    {0x06, 3, &Semihosting::read},
    {0x07, 0, &Semihosting::read_character},
    {0x08, 1, &Semihosting::is_error},
    {0x09, 1, &Semihosting::is_terminal},
    {0x0a, 2, &Semihosting::seek},
    {0x0c, 1, &Semihosting::file_length},
    {0x0d, 3, &Semihosting::temporary_name},
    {0x0e, 2, &Semihosting::remove},
    {0x0f, 4, &Semihosting::rename},
    {0x10, 0, &Semihosting::centiseconds},
    {0x11, 0, &Semihosting::calendar_time},
    {0x12, 2, &Semihosting::run_command},
    {0x13, 0, &Semihosting::last_error},
    {0x15, 2, &Semihosting::command_line},
    {0x16, 1, &Semihosting::heap_info},
    {0x18, 2, &Semihosting::exit},
    {0x20, 2, &Semihosting::exit},
    {0x30, 0, &Semihosting::elapsed_ticks},
    {0x31, 0, &Semihosting::tick_frequency},
};
// clang-format on

struct Semihosting::SavedState {
    static constexpr u32 kVersion = 1;
    u32 last_error = 0;
    u64 free_ram = 0;
    std::vector<u64> said;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.last_error, self.free_ram, self.said);
    }
};

Semihosting::Semihosting(Wiring wiring)
    : wiring_(std::move(wiring)), files_(wiring_.console, wiring_.folder.get()),
      said_(wiring_.cpus) {}

void Semihosting::listen() {
    if (wiring_.console.has_input) wiring_.console.line->set_listener(this);
}

Semihosting::~Semihosting() {
    if (wiring_.console.has_input) wiring_.console.line->set_listener(nullptr);
}

arm::SemihostingCalls::Completion Semihosting::call(arm::ArmState &cpu) {
    const std::lock_guard lock(mutex_);
    Call call{cpu, GuestView(cpu, *wiring_.memory), cpu.gpr[1]};
    const Answer answer = perform(call);
    if (answer.completion == Completion::Done) {
        said_[cpu.index] = 0;
        cpu.gpr[0] = answer.value;
    }
    return answer.completion;
}

Semihosting::Answer Semihosting::perform(Call &call) {
    const u32 number = static_cast<u32>(call.cpu.gpr[0]);
    const auto *operation = std::ranges::find(kOperations, number, &Operation::number);
    if (operation == std::end(kOperations)) return failed(ENOSYS);
    const auto block = std::as_writable_bytes(std::span(call.words).first(operation->words));
    if (!call.memory.read_all(call.parameter, block)) return failed(EFAULT);
    return (this->*operation->perform)(call);
}

Semihosting::Answer Semihosting::failed(int error) {
    last_error_ = error;
    return {kFailed};
}

template <typename T>
Semihosting::Answer Semihosting::unless_failed(const GuestFolder::Answer<T> &result, u64 value) {
    return result.has_value() ? Answer{value} : failed(result.error());
}

GuestFolder::Answer<std::string> Semihosting::name_at(Call &call, u64 va, u64 length) const {
    if (length > kMaxName) return std::unexpected(ENAMETOOLONG);
    std::string name(length, '\0');
    if (!call.memory.read_all(va, std::as_writable_bytes(std::span(name))))
        return std::unexpected(EFAULT);
    if (name.find('\0') != std::string::npos) return std::unexpected(EINVAL);
    return name;
}

// ----------------------------------------------------------------------------------------- files

Semihosting::Answer Semihosting::open(Call &call) {
    const auto [name_va, mode, length, unused] = call.words;
    const auto name = name_at(call, name_va, length);
    if (!name.has_value()) return failed(name.error());
    if (mode >= OpenFiles::kModes) return failed(EINVAL);
    const auto handle = files_.open(*name, static_cast<unsigned>(mode));
    return unless_failed(handle, handle.value_or(0));
}

Semihosting::Answer Semihosting::close(Call &call) {
    return unless_failed(files_.close(call.words[0]), 0);
}

Semihosting::Answer Semihosting::write(Call &call) {
    const auto [handle, va, length, unused] = call.words;
    const auto is_console = files_.is_console(handle);
    if (!is_console.has_value()) {
        last_error_ = is_console.error();
        return {length}; // not written
    }
    u64 &said = said_[call.cpu.index];
    const u64 start = *is_console ? std::min(said, length) : 0;
    std::vector<std::byte> bytes(std::min(length - start, kMaxMove));
    bytes.resize(call.memory.read(va + start, bytes));
    const auto moved = files_.write(handle, bytes);
    if (!moved.has_value()) {
        last_error_ = moved.error();
        return {length};
    }
    if (!*is_console) return {length - moved->bytes};
    // A console takes all of it, however long that lasts, as far as memory goes.
    said += moved->bytes;
    if (moved->end == OpenFiles::Ended::Waits) return {0, Completion::Waits};
    if (moved->bytes != 0 && said < length) return {0, Completion::Again};
    return {length - said};
}

Semihosting::Answer Semihosting::read(Call &call) {
    const auto [handle, va, length, unused] = call.words;
    std::vector<std::byte> bytes(std::min(length, kMaxMove));
    const auto moved = files_.read(handle, bytes);
    if (!moved.has_value()) {
        last_error_ = moved.error();
        return {length}; // not read
    }
    if (moved->end == OpenFiles::Ended::Waits) return {0, Completion::Waits};
    const std::size_t stored = call.memory.write(va, std::span(bytes).first(moved->bytes));
    return {length - stored};
}

Semihosting::Answer Semihosting::is_terminal(Call &call) {
    const auto is_console = files_.is_console(call.words[0]);
    return unless_failed(is_console, is_console.value_or(false) ? 1 : 0);
}

Semihosting::Answer Semihosting::seek(Call &call) {
    return unless_failed(files_.seek(call.words[0], call.words[1]), 0);
}

Semihosting::Answer Semihosting::file_length(Call &call) {
    const auto size = files_.size(call.words[0]);
    return unless_failed(size, size.value_or(0));
}

Semihosting::Answer Semihosting::temporary_name(Call &call) {
    const auto [va, identifier, length, unused] = call.words;
    const std::string name = fmt::format("semihosting-{}.tmp", identifier & 0xff);
    if (length < name.size() + 1) return failed(EINVAL);
    const auto bytes = std::as_bytes(std::span(name.c_str(), name.size() + 1));
    return call.memory.write_all(va, bytes) ? Answer{0} : failed(EFAULT);
}

Semihosting::Answer Semihosting::remove(Call &call) {
    const auto name = name_at(call, call.words[0], call.words[1]);
    if (!name.has_value()) return failed(name.error());
    if (wiring_.folder == nullptr) return failed(ENOENT);
    return unless_failed(wiring_.folder->remove(*name), 0);
}

Semihosting::Answer Semihosting::rename(Call &call) {
    const auto from = name_at(call, call.words[0], call.words[1]);
    const auto to = name_at(call, call.words[2], call.words[3]);
    if (!from.has_value()) return failed(from.error());
    if (!to.has_value()) return failed(to.error());
    if (wiring_.folder == nullptr) return failed(ENOENT);
    return unless_failed(wiring_.folder->rename(*from, *to), 0);
}

// --------------------------------------------------------------------------------------- console

Semihosting::Answer Semihosting::write_character(Call &call) {
    std::byte character{};
    if (!call.memory.read_all(call.parameter, as_bytes(character))) return failed(EFAULT);
    return say(call, {&character, 1});
}

Semihosting::Answer Semihosting::write_text(Call &call) {
    std::vector<std::byte> piece(kMaxMove);
    piece.resize(call.memory.read(call.parameter + said_[call.cpu.index], piece));
    const auto end = std::ranges::find(piece, std::byte{0});
    const bool goes_on = end == piece.end() && !piece.empty();
    Answer answer = say(call, {piece.begin(), end});
    if (answer.completion == Completion::Done && goes_on) answer.completion = Completion::Again;
    return answer;
}

Semihosting::Answer Semihosting::say(Call &call, std::span<const std::byte> text) {
    const OpenFiles::Moved moved = files_.write_console(text);
    said_[call.cpu.index] += moved.bytes;
    // Neither operation has an answer.
    return {call.cpu.gpr[0],
            moved.end == OpenFiles::Ended::Waits ? Completion::Waits : Completion::Done};
}

Semihosting::Answer Semihosting::read_character(Call &) {
    std::byte character{};
    const OpenFiles::Moved moved = files_.read_console({&character, 1});
    if (moved.end == OpenFiles::Ended::Waits) return {0, Completion::Waits};
    return moved.bytes == 1 ? Answer{std::to_integer<u64>(character)} : Answer{kFailed};
}

// ------------------------------------------------------------------------------------ the program

Semihosting::Answer Semihosting::is_error(Call &call) {
    return {static_cast<i64>(call.words[0]) < 0 ? 1u : 0u};
}

Semihosting::Answer Semihosting::centiseconds(Call &) {
    return {wiring_.clock->now_ns() / (kTicksPerSecond / 100)};
}

Semihosting::Answer Semihosting::calendar_time(Call &) {
    return {wiring_.clock->calendar_seconds()};
}

Semihosting::Answer Semihosting::run_command(Call &) {
    return failed(EPERM); // the guest is not trusted
}

Semihosting::Answer Semihosting::last_error(Call &) {
    return {static_cast<u64>(last_error_)};
}

Semihosting::Answer Semihosting::command_line(Call &call) {
    const auto [va, room, unused1, unused2] = call.words;
    const std::string &line = wiring_.command_line;
    if (room < line.size() + 1) return failed(E2BIG);
    std::array<u64, 2> block{va, line.size()};
    const bool written =
        call.memory.write_all(va, std::as_bytes(std::span(line.c_str(), line.size() + 1))) &&
        call.memory.write_all(call.parameter, std::as_bytes(std::span(block)));
    return written ? Answer{0} : failed(EFAULT);
}

Semihosting::Answer Semihosting::heap_info(Call &call) {
    // The stack grows down from the end of RAM, towards the heap.
    const std::array<u64, 4> block{free_ram_, wiring_.ram_end, wiring_.ram_end, free_ram_};
    return call.memory.write_all(call.words[0], std::as_bytes(std::span(block)))
               ? Answer{call.cpu.gpr[0]}
               : failed(EFAULT);
}

Semihosting::Answer Semihosting::exit(Call &call) {
    const auto [reason, subcode, unused1, unused2] = call.words;
    wiring_.exit(reason == kApplicationExit ? static_cast<u8>(subcode) : kExitAbnormal);
    call.cpu.pending_exit = ir::PendingExit::Stop;
    return {call.cpu.gpr[0]};
}

Semihosting::Answer Semihosting::elapsed_ticks(Call &call) {
    u64 ticks = wiring_.clock->now_ns();
    return call.memory.write_all(call.parameter, as_bytes(ticks)) ? Answer{0} : failed(EFAULT);
}

Semihosting::Answer Semihosting::tick_frequency(Call &) {
    return {kTicksPerSecond};
}

// ------------------------------------------------------------------------------------------ state

void Semihosting::save(devices::StateWriter &writer) const {
    devices::save_state(writer, "semihosting",
                        SavedState{static_cast<u32>(last_error_), free_ram_, said_});
    files_.save(writer);
}

Result<> Semihosting::restore(devices::StateReader &reader) {
    SavedState state;
    TRY(devices::restore_state(reader, "semihosting", state));
    if (state.said.size() != said_.size())
        return failure("semihosting: what is said of its CPUs makes no sense");
    TRY(files_.restore(reader));
    last_error_ = static_cast<int>(state.last_error);
    free_ram_ = state.free_ram;
    said_ = std::move(state.said);
    return {};
}

} // namespace tandem::machine
