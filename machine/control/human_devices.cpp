#include "machine/control/human_devices.h"

#include "machine/control/device_commands.h"
#include "machine/control/json_member.h"
#include "machine/host/net/forward_text.h"

#include <fmt/format.h>

#include <iterator>

namespace tandem::machine {
namespace {

using nlohmann::json;

std::string done(const Result<> &result) {
    return result.has_value() ? "" : fmt::format("Error: {}\r\n", result.error().message);
}
std::string done(const QmpResult &result) {
    return result.has_value() ? "" : fmt::format("Error: {}\r\n", result.error().description);
}

/// "VALUE,NAME=VALUE,..." as the members of an object; `first` names a value without a name.
json parse_options(std::string_view text, const char *first) {
    json options = json::object();
    while (!text.empty()) {
        std::string option;
        std::size_t at = 0;
        for (; at < text.size(); ++at) {
            if (text[at] == ',') {
                if (at + 1 == text.size() || text[at + 1] != ',') break;
                ++at;
            }
            option += text[at];
        }
        text.remove_prefix(std::min(at + 1, text.size()));
        const std::size_t equals = option.find('=');
        if (equals == std::string::npos)
            options[first] = option;
        else
            options[option.substr(0, equals)] = option.substr(equals + 1);
    }
    return options;
}

/// The words before the last one, and that.
std::pair<std::string, std::string_view> split_last(std::string_view arguments) {
    const std::size_t blank = arguments.rfind(' ');
    if (blank == std::string_view::npos) return {"", arguments};
    return {std::string(arguments.substr(0, blank)), arguments.substr(blank + 1)};
}

} // namespace

std::string human_device_add(MachineControl &machine, std::string_view arguments) {
    return done(device_add(machine, parse_options(arguments, "driver")));
}

std::string human_device_del(MachineControl &machine, std::string_view id) {
    return done(device_del(machine, {{"id", id}}));
}

std::string human_drive_add(MachineControl &machine, std::string_view arguments) {
    json given = parse_options(split_last(arguments).second, "file");
    const std::string format = text_member(given, "format", "raw");
    json wanted{{"driver", format},
                {"node-name", text_member(given, "id")},
                {"file", {{"driver", "file"}, {"filename", text_member(given, "file")}}},
                {"read-only", text_member(given, "readonly", "off")}};
    if (text_member(given, "if", "none") != "none")
        return "Error: a drive is added with if=none, and a device that has it by device_add\r\n";
    for (const char *known : {"id", "file", "format", "readonly", "if"}) given.erase(known);
    wanted.update(given);
    return done(blockdev_add(machine, wanted));
}

std::string human_drive_del(MachineControl &machine, std::string_view id) {
    return done(blockdev_del(machine, {{"node-name", id}}));
}

std::string human_netdev_add(MachineControl &machine, std::string_view arguments) {
    const json options = parse_options(arguments, "type");
    for (const char *name : {"type", "id"})
        if (!options.contains(name))
            return fmt::format("Error: Parameter '{}' is missing\r\n", name);
    return done(netdev_add(machine, options));
}

std::string human_netdev_del(MachineControl &machine, std::string_view id) {
    return done(netdev_del(machine, {{"id", id}}));
}

std::string human_hostfwd_add(MachineControl &machine, std::string_view arguments) {
    const auto [netdev, text] = split_last(arguments);
    const auto forward = parse_forward(text);
    if (!forward.has_value())
        return fmt::format("invalid host forwarding rule '{}' ({})\r\n", text,
                           forward.error().message);
    return done(machine.add_forward(netdev, *forward));
}

std::string human_hostfwd_remove(MachineControl &machine, std::string_view arguments) {
    const auto [netdev, text] = split_last(arguments);
    const auto forward = parse_forward_end(text);
    if (!forward.has_value())
        return fmt::format("invalid format '{}' ({})\r\n", text, forward.error().message);
    const Result<> removed = machine.remove_forward(netdev, *forward);
    return removed.has_value() ? fmt::format("host forwarding rule for {} removed\r\n", text)
                               : done(removed);
}

std::string human_info_pci(const MachineControl &machine) {
    static constexpr u32 kPerDevice = 8;
    std::string text;
    const auto out = std::back_inserter(text);
    for (const devices::PciFunctionView &view : machine.pci_functions()) {
        fmt::format_to(out,
                       "  Bus {:2}, device {:3}, function {}:\r\n"
                       "    Class {:04x}: PCI device {:04x}:{:04x}\r\n",
                       view.bus, view.number / kPerDevice, view.number % kPerDevice,
                       view.class_code, view.vendor, view.device);
        if (view.interrupt_pin != 0)
            fmt::format_to(out, "      IRQ {}, pin {:c}\r\n", view.interrupt_line,
                           static_cast<char>('A' + view.interrupt_pin - 1));
        if (view.bridge.has_value()) {
            fmt::format_to(out,
                           "      BUS {}.\r\n      secondary bus {}.\r\n"
                           "      subordinate bus {}.\r\n",
                           view.bus, view.bridge->secondary, view.bridge->subordinate);
            const char *kinds[] = {"memory", "prefetchable memory"};
            for (std::size_t i = 0; i < view.bridge->windows.size(); ++i)
                if (const auto &window = view.bridge->windows[i]; window.has_value())
                    fmt::format_to(out, "      {} range [0x{:08x}, 0x{:08x}]\r\n", kinds[i],
                                   window->first, window->last);
        }
        for (const auto &bar : view.bars)
            fmt::format_to(out, "      BAR{}: {} bit {}memory{}\r\n", bar.index,
                           bar.is_wide ? 64 : 32, bar.is_wide ? "prefetchable " : "",
                           bar.base.has_value() ? fmt::format(" at 0x{:08x} [0x{:08x}].", *bar.base,
                                                              *bar.base + bar.size - 1)
                                                : " (not mapped)");
        fmt::format_to(out, "      id \"{}\"\r\n", view.name);
    }
    return text;
}

} // namespace tandem::machine
