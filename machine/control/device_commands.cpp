#include "machine/control/device_commands.h"

#include "machine/control/qmp_answers.h"

#include "devices/backend/net.h"
#include "machine/board/memory_map.h"
#include "machine/control/json_member.h"
#include "machine/host/net/forward_text.h"
#include "machine/host/net/mac_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <span>
#include <string_view>

namespace tandem::machine {
namespace {

using nlohmann::json;

/// The first member that is none of these; empty: all are.
std::string unknown_member(const json &object, std::initializer_list<std::string_view> known) {
    for (const auto &[name, value] : object.items())
        if (std::ranges::find(known, std::string_view(name)) == known.end()) return name;
    return {};
}

/// A truth value, which monitors for people pass on as text.
bool is_true(const json &object, const char *name) {
    const auto found = object.find(name);
    if (found == object.end()) return false;
    return found->is_boolean() ? found->get<bool>() : *found == "on";
}

// ---------------------------------------------------------------------------------------- blocks

/// Sets the path of a disk from the options of its file, or says which node that is.
std::optional<QmpError> take_file(const json &file, BlockNode &node) {
    if (file.is_string()) {
        node.over = file;
        return {};
    }
    if (!file.is_object() || !file.contains("filename"))
        return QmpError{.description = "Parameter 'filename' is missing"};
    if (text_member(file, "driver") != "file")
        return QmpError{.description = "Parameter 'driver' expects 'file'"};
    if (const auto unknown = unknown_member(file, {"driver", "filename", "node-name", "read-only",
                                                   "auto-read-only", "aio", "cache", "discard"});
        !unknown.empty())
        return QmpError{.description = fmt::format("Parameter '{}' is unexpected", unknown)};
    node.disk.path = text_member(file, "filename");
    return {};
}

} // namespace

QmpResult blockdev_add(MachineControl &machine, const json &arguments) {
    const std::string driver = text_member(arguments, "driver");
    BlockNode node;
    node.disk.node = text_member(arguments, "node-name");
    if (node.disk.node.empty()) return refused("'node-name' must be specified for the root node");
    node.disk.readonly = is_true(arguments, "read-only");
    if (const auto cache = arguments.find("cache");
        cache != arguments.end() && cache->is_object()) {
        if (is_true(*cache, "no-flush"))
            node.disk.cache = CacheMode::Unsafe;
        else if (is_true(*cache, "direct"))
            node.disk.cache = CacheMode::None;
    }
    node.is_file = driver == "file";
    node.disk.format = node.is_file ? ImageFormat::Raw : format_named(driver);
    if (!node.disk.format.has_value())
        return refused(fmt::format("Parameter 'driver' does not accept value '{}'", driver));
    const json own_file{{"driver", "file"}, {"filename", text_member(arguments, "filename")}};
    if (const auto unknown = unknown_member(
            arguments, {"driver", "node-name", "read-only", "auto-read-only", "cache", "discard",
                        "detect-zeroes", "aio", node.is_file ? "filename" : "file"});
        !unknown.empty())
        return refused(fmt::format("Parameter '{}' is unexpected", unknown));
    if (!arguments.contains(node.is_file ? "filename" : "file"))
        return refused(
            fmt::format("Parameter '{}' is missing", node.is_file ? "filename" : "file"));
    if (auto error = take_file(node.is_file ? own_file : arguments["file"], node);
        error.has_value())
        return std::unexpected(std::move(*error));
    return done(machine.add_disk(node));
}

QmpResult blockdev_del(MachineControl &machine, const json &arguments) {
    return done(machine.remove_disk(arguments["node-name"]));
}

// -------------------------------------------------------------------------------------- networks

QmpResult netdev_add(MachineControl &machine, const json &arguments) {
    NetdevConfig netdev{arguments["id"], {}};
    if (arguments["type"] != "user")
        return refused(fmt::format("Parameter 'type' does not accept value '{}'",
                                   arguments["type"].get<std::string>()));
    if (const auto unknown = unknown_member(arguments, {"type", "id", "hostfwd"}); !unknown.empty())
        return refused(fmt::format("Parameter '{}' is unexpected", unknown));
    if (const auto forwards = arguments.find("hostfwd"); forwards != arguments.end()) {
        // A list of objects, or, of the monitor for people, a text.
        const json list = forwards->is_array() ? *forwards : json::array({{{"str", *forwards}}});
        for (const json &each : list) {
            auto forward = parse_forward(text_member(each, "str"));
            if (!forward.has_value())
                return refused(fmt::format("Invalid host forwarding rule '{}' ({})",
                                           text_member(each, "str"), forward.error().message));
            netdev.net.forwards.push_back(std::move(*forward));
        }
    }
    return done(machine.add_net(netdev));
}

QmpResult netdev_del(MachineControl &machine, const json &arguments) {
    return done(machine.remove_net(arguments["id"]));
}

// --------------------------------------------------------------------------------------- devices

namespace {

struct Driver {
    std::string_view name;
    PluggedDevice::Kind kind;
    std::string_view backend; ///< property that names it; empty: there is none
    std::span<const std::string_view> properties;
};
constexpr std::string_view kBlockProperties[] = {"driver", "id", "bus", "addr", "drive", "serial"};
constexpr std::string_view kNetProperties[] = {"driver", "id", "bus", "addr", "netdev", "mac"};
constexpr std::string_view kEntropyProperties[] = {"driver", "id", "bus", "addr"};
// clang-format off
constexpr Driver kDrivers[] = {
    {"virtio-blk-pci", PluggedDevice::Kind::Disk,    "drive",  kBlockProperties},
    {"virtio-net-pci", PluggedDevice::Kind::Net,     "netdev", kNetProperties},
    {"virtio-rng-pci", PluggedDevice::Kind::Entropy, "",       kEntropyProperties},
};
// clang-format on

/// "port3".
std::optional<unsigned> port_named(std::string_view name) {
    unsigned port = 0;
    if (!name.starts_with("port")) return {};
    name.remove_prefix(4);
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), port);
    if (error != std::errc{} || end != name.data() + name.size() || port >= kPciePorts) return {};
    return port;
}

/// A card of its own for each, from the one after the first card's on.
devices::MacAddress free_mac(const std::vector<PluggedDevice> &devices) {
    devices::MacAddress mac = kDefaultMac;
    const auto is_taken = [&] {
        return std::ranges::any_of(devices, [&](const auto &each) { return each.mac == mac; });
    };
    do ++mac.back();
    while (is_taken());
    return mac;
}

bool is_first_place(const json &address) {
    return address == 0 || address == "0" || address == "0x0" || address == "00.0" ||
           address == "0.0" || address == "0x0.0x0";
}

} // namespace

QmpResult device_add(MachineControl &machine, const json &arguments) {
    const std::string name = text_member(arguments, "driver");
    const auto driver = std::ranges::find(kDrivers, name, &Driver::name);
    if (driver == std::end(kDrivers))
        return refused(fmt::format("'{}' is not a valid device model name", name));
    for (const auto &[property, value] : arguments.items())
        if (std::ranges::find(driver->properties, std::string_view(property)) ==
            driver->properties.end())
            return refused(fmt::format("Property '{}.{}' not found", name, property));
    DeviceRequest request;
    request.device.kind = driver->kind;
    request.device.id = text_member(arguments, "id");
    if (request.device.id.empty()) return refused("Parameter 'id' is missing");
    if (arguments.contains("bus")) {
        const std::string bus = text_member(arguments, "bus");
        if (bus == "pcie.0") return refused("Bus 'pcie.0' does not support hotplugging");
        request.port = port_named(bus);
        if (!request.port.has_value()) return refused(fmt::format("Bus '{}' not found", bus));
    }
    if (arguments.contains("addr") && !is_first_place(arguments["addr"]))
        return refused("PCI: only slot 0 supported by a PCIe port; leave addr out");
    if (!driver->backend.empty()) {
        const std::string property{driver->backend};
        request.device.backend = text_member(arguments, property.c_str());
        if (request.device.backend.empty())
            return refused(fmt::format("{} property not set", property));
    }
    request.serial = text_member(arguments, "serial");
    if (driver->kind == PluggedDevice::Kind::Net) {
        const std::string mac = text_member(arguments, "mac");
        request.device.mac = mac.empty() ? free_mac(machine.devices()) : parse_mac(mac);
        if (!request.device.mac.has_value())
            return refused(fmt::format("Property '{}.mac' doesn't take value '{}'", name, mac));
    }
    return done(machine.plug(request));
}

QmpResult device_del(MachineControl &machine, const json &arguments) {
    std::string id = arguments["id"];
    static constexpr std::string_view kPath = "/machine/peripheral/";
    if (id.starts_with(kPath)) id.erase(0, kPath.size());
    const auto plugged = machine.devices();
    if (std::ranges::find(plugged, id, &PluggedDevice::id) == plugged.end()) {
        const auto functions = machine.pci_functions();
        if (std::ranges::find(functions, id, &devices::PciFunctionView::name) != functions.end())
            return refused("Bus 'pcie.0' does not support hotplugging");
        return std::unexpected(
            QmpError{"DeviceNotFound", fmt::format("Device '{}' not found", id)});
    }
    return done(machine.unplug(id));
}

// -------------------------------------------------------------------------------------------- PCI

namespace {

json range_of(const std::optional<devices::PciFunctionView::Bridge::Window> &window) {
    return {{"base", window.has_value() ? window->first : 0},
            {"limit", window.has_value() ? window->last : 0}};
}

json function_of(const devices::PciFunctionView &view) {
    static constexpr u32 kPerDevice = 8;
    json function{{"bus", view.bus},
                  {"slot", view.number / kPerDevice},
                  {"function", view.number % kPerDevice},
                  {"class_info", {{"class", view.class_code}}},
                  {"id",
                   {{"vendor", view.vendor},
                    {"device", view.device},
                    {"subsystem-vendor", view.subsystem_vendor},
                    {"subsystem", view.subsystem}}},
                  {"irq_pin", view.interrupt_pin},
                  {"qdev_id", view.name},
                  {"regions", json::array()}};
    if (view.interrupt_pin != 0) function["irq"] = view.interrupt_line;
    for (const auto &bar : view.bars)
        // QEMU, too, says -1 where a register is not mapped.
        function["regions"].push_back(
            {{"bar", bar.index},
             {"type", "memory"},
             {"address", bar.base.has_value() ? json(*bar.base) : json(-1)},
             {"size", bar.size},
             {"prefetch", bar.is_wide},
             {"mem_type_64", bar.is_wide}});
    if (view.bridge.has_value())
        function["pci_bridge"] = {{"bus",
                                   {{"number", view.bus},
                                    {"secondary", view.bridge->secondary},
                                    {"subordinate", view.bridge->subordinate},
                                    {"io_range", {{"base", 0}, {"limit", 0}}},
                                    {"memory_range", range_of(view.bridge->windows[0])},
                                    {"prefetchable_range", range_of(view.bridge->windows[1])}}}};
    return function;
}

} // namespace

QmpResult query_pci(MachineControl &machine, const json &) {
    json functions = json::array();
    for (const auto &view : machine.pci_functions()) {
        // Bus 0 has its root there, and it comes first; others are behind the port before them.
        if (view.number == 0 && !functions.empty())
            functions.back()["pci_bridge"]["devices"].push_back(function_of(view));
        else
            functions.push_back(function_of(view));
    }
    return json::array({{{"bus", 0}, {"devices", functions}}});
}

} // namespace tandem::machine
