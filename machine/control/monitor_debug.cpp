#include "machine/control/monitor_debug.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

namespace tandem::machine {
namespace {

constexpr u64 kMaxUnits = 4096;

struct Request {
    u64 count = 1;
    char format = 'x';
    unsigned size_log2 = 2;
    u64 address = 0;
};

std::optional<u64> parse_address(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    u64 value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

std::optional<Request> parse_request(std::string_view text) {
    Request request;
    if (text.starts_with('/')) {
        const std::string_view form = text.substr(1, text.find(' ') - 1);
        text.remove_prefix(std::min(text.size(), form.size() + 2));
        const char *at = form.data();
        const char *const end = at + form.size();
        if (at != end && *at >= '0' && *at <= '9') {
            const auto [after, error] = std::from_chars(at, end, request.count);
            if (error != std::errc{}) return std::nullopt;
            at = after;
        }
        for (; at != end; ++at) {
            static constexpr std::string_view kFormats = "xduoc", kSizes = "bhwg";
            if (kFormats.find(*at) != std::string_view::npos) {
                request.format = *at;
                if (*at == 'c') request.size_log2 = 0;
            } else if (const std::size_t size = kSizes.find(*at); size != std::string_view::npos) {
                request.size_log2 = static_cast<unsigned>(size);
            } else {
                return std::nullopt;
            }
        }
    }
    const std::optional<u64> address = parse_address(text);
    if (!address.has_value() || request.count == 0 || request.count > kMaxUnits)
        return std::nullopt;
    request.address = *address;
    return request;
}

std::string format_unit(u64 value, const Request &request) {
    const unsigned bits = 8u << request.size_log2;
    switch (request.format) {
    case 'd': return fmt::format("{}", sign_extend(value, bits));
    case 'u': return fmt::format("{}", value);
    case 'o': return fmt::format("0{:o}", value);
    case 'c':
        return value >= 0x20 && value < 0x7f ? fmt::format("'{}'", static_cast<char>(value))
                                             : fmt::format("'\\x{:02x}'", value);
    default: return fmt::format("0x{:0{}x}", value, bits / 4);
    }
}

std::optional<u64> read_unit(DebugTarget &target, AddressSpace space, u64 address,
                             unsigned size_log2) {
    u64 value = 0;
    const auto bytes =
        std::as_writable_bytes(std::span(&value, 1)).first(std::size_t{1} << size_log2);
    if (target.read_memory(space, address, bytes) == bytes.size()) return value;
    if (space.cpu.has_value()) return std::nullopt;
    return target.read_device(address, size_log2);
}

} // namespace

std::string show_registers(DebugTarget &target, u32 cpu, Registers which) {
    std::string text = fmt::format("CPU#{}\r\n", cpu);
    const RegisterFile &file = target.registers();
    std::size_t number = 0;
    for (const RegisterFeature &feature : file.features) {
        for (const RegisterDescription &each : feature.registers) {
            std::array<u64, 2> value{};
            target.read_register(cpu, number++,
                                 std::as_writable_bytes(std::span(value)).first(each.bytes()));
            text += each.bits > 64
                        ? fmt::format("{:>16} = {:016x}{:016x}\r\n", each.name, value[1], value[0])
                        : fmt::format("{:>16} = {:0{}x}\r\n", each.name, value[0], each.bits / 4);
        }
        if (which == Registers::Core) break;
    }
    return text;
}

std::string show_layout(DebugTarget &target) {
    std::string text;
    for (const PlacedRegion &region : target.layout())
        text += fmt::format("{:016x}-{:016x} {}\r\n", region.base, region.base + (region.size - 1),
                            region.name);
    return text;
}

std::string show_memory(DebugTarget &target, u32 cpu, MemoryView view, std::string_view arguments) {
    const std::optional<Request> request = parse_request(arguments);
    if (!request.has_value())
        return fmt::format("not /COUNTFORMATSIZE ADDRESS, such as /4xw 0x40000000 (formats xduoc, "
                           "sizes bhwg, {} at most)\r\n",
                           kMaxUnits);
    const AddressSpace space = view == MemoryView::Virtual ? AddressSpace{cpu} : AddressSpace{};
    const u64 size = u64{1} << request->size_log2;
    const u64 in_line = std::min<u64>(16 / size, 8);
    std::string text;
    for (u64 i = 0; i < request->count; ++i) {
        const u64 address = request->address + i * size;
        if (i % in_line == 0) text += fmt::format("{}{:016x}:", i == 0 ? "" : "\r\n", address);
        const std::optional<u64> value = read_unit(target, space, address, request->size_log2);
        if (!value.has_value())
            return text + fmt::format(" nothing can be read at {:#x}\r\n", address);
        text += fmt::format(" {}", format_unit(*value, *request));
    }
    return text + "\r\n";
}

std::string show_translation(DebugTarget &target, u32 cpu, std::string_view arguments) {
    const std::optional<u64> address = parse_address(arguments);
    if (!address.has_value()) return "not an address\r\n";
    const std::optional<u64> physical = target.translate(cpu, *address);
    return physical.has_value() ? fmt::format("gpa: {:#x}\r\n", *physical) : "Unmapped\r\n";
}

std::string show_moment(DebugTarget &target) {
    const std::optional<DebugTarget::Moment> moment = target.moment();
    if (!moment.has_value()) return "not a deterministic machine: it has no such count\r\n";
    return fmt::format("instruction {}, guest time {}.{:09} s\r\n", moment->position,
                       moment->time_ns / 1'000'000'000, moment->time_ns % 1'000'000'000);
}

std::string go_to_moment(DebugTarget &target, std::string_view arguments) {
    const std::optional<u64> position = parse_address(arguments);
    if (!position.has_value()) return "not a number of instructions\r\n";
    if (!target.goes_backwards())
        return "not a replay that is debugged; use tandem replay F --gdb ADDR:PORT\r\n";
    target.go_to(*position);
    return show_moment(target);
}

} // namespace tandem::machine
