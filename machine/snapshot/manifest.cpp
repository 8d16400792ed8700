#include "machine/snapshot/manifest.h"
#include "machine/host/net/mac_text.h"

#include "machine/screen/screen_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace tandem::machine::snapshot {
namespace {

using nlohmann::json;

/// As seen from any folder.
std::string absolute(const std::string &path) {
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

constexpr std::pair<std::string_view, PluggedDevice::Kind> kPluggedKinds[] = {
    {"disk", PluggedDevice::Kind::Disk},
    {"net", PluggedDevice::Kind::Net},
    {"entropy", PluggedDevice::Kind::Entropy}};

/// Fails as the library does.
template <typename Value, std::size_t N>
Value known_value(const std::pair<std::string_view, Value> (&names)[N], const json &name) {
    if (const auto value = value_in(names, name.get<std::string_view>())) return *value;
    throw json::other_error::create(501, "an unknown name", &name);
}

json plugged_json(const MachineConfig &config) {
    json list = json::array();
    for (const PluggedDevice &device : config.plugged) {
        json out{{"id", device.id},
                 {"kind", name_in(kPluggedKinds, device.kind)},
                 {"port", device.port},
                 {"backend", device.backend}};
        if (device.mac.has_value()) out["mac"] = *device.mac;
        list.push_back(std::move(out));
    }
    return list;
}

PluggedDevice read_plugged(const json &in) {
    PluggedDevice device{.id = in.at("id"),
                         .kind = known_value(kPluggedKinds, in.at("kind")),
                         .port = in.at("port"),
                         .backend = in.at("backend")};
    if (in.contains("mac")) device.mac = in.at("mac").get<std::array<u8, 6>>();
    return device;
}

json disk_json(const DiskConfig &disk, const DiskRecord &record) {
    json out{{"path", absolute(disk.path)},
             {"readonly", disk.readonly},
             {"snapshot", disk.snapshot},
             {"bus", name_of(disk.bus)},
             {"cache", name_in(kCacheModes, disk.cache)},
             {"size", record.size},
             {"cdrom", disk.is_cdrom}};
    if (disk.bus == DiskBus::Port) out["node"] = disk.node;
    if (!disk.serial.empty()) out["serial"] = disk.serial;
    if (disk.format.has_value()) out["format"] = format_name(*disk.format);
    if (!record.content.empty()) out["content"] = record.content;
    if (!record.kept_as.empty()) out["kept-as"] = record.kept_as;
    return out;
}

void read_disk(const json &in, Manifest &manifest) {
    DiskConfig disk;
    disk.path = in.at("path");
    disk.readonly = in.at("readonly");
    disk.snapshot = in.at("snapshot");
    disk.bus = known_value(kDiskBuses, in.at("bus"));
    disk.is_cdrom = in.value("cdrom", false);
    disk.node = in.value("node", "");
    disk.serial = in.value("serial", "");
    disk.cache = known_value(kCacheModes, in.at("cache"));
    if (in.contains("format")) disk.format = format_named(in.at("format").get<std::string>());
    manifest.config.disks.push_back(disk);
    manifest.disks.push_back({in.at("size"), in.value("content", ""), in.value("kept-as", "")});
}

std::unexpected<Error> differs(std::string_view option, const std::string &owner,
                               const std::string &saved) {
    return failure(fmt::format("{}: {} {}; leave the option out", option, owner, saved));
}

constexpr std::string_view kSemihostingOnSerial = "console", kSemihostingOwnLine = "line";

std::string_view name_of_semihosting(const MachineConfig &config) {
    if (!config.semihosting.has_value()) return "";
    return config.semihosting->line.has_value() ? kSemihostingOwnLine : kSemihostingOnSerial;
}

/// "d (disk) in port0, n (net) in port1".
std::string list_of(const MachineConfig &config) {
    std::string list;
    for (const PluggedDevice &device : config.plugged)
        list += fmt::format("{}{} ({}) in port{}", list.empty() ? "" : ", ", device.id,
                            name_in(kPluggedKinds, device.kind), device.port);
    return list;
}

} // namespace

std::string to_json(const Manifest &manifest) {
    const MachineConfig &config = manifest.config;
    json disks = json::array();
    for (std::size_t i = 0; i < config.disks.size(); ++i)
        disks.push_back(disk_json(config.disks[i], manifest.disks[i]));
    json netdevs = json::array();
    for (const NetdevConfig &netdev : config.netdevs) netdevs.push_back(netdev.id);
    json ports = json::array();
    for (const PortConfig &port : config.ports) ports.push_back(port.name);
    json inputs = json::array();
    for (const devices::InputKind kind : config.inputs) inputs.push_back(name_of(kind));
    json screens = json::array();
    for (const devices::DisplayMode &mode : config.screens) screens.push_back(to_text(mode));
    const json out{{"cpus", config.cpus},
                   {"memory", config.memory},
                   {"cpu", config.cpu_model},
                   {"architected-pauth", config.architected_pauth},
                   {"gic", config.gic_version},
                   {"acpi", config.acpi},
                   {"watchdog", config.watchdog.has_value() ? name_of(*config.watchdog) : ""},
                   {"on-panic", config.on_panic.has_value() ? name_of(*config.on_panic) : ""},
                   {"console", config.console.has_value()},
                   {"semihosting", name_of_semihosting(config)},
                   {"ports", ports},
                   {"inputs", inputs},
                   {"screens", screens},
                   {"sensors", config.sensors.has_value()},
                   {"sound", config.sound.has_value()},
                   {"vsock", config.vsock.has_value() ? config.vsock->cid : 0},
                   {"balloon", config.balloon.has_value() ? json(config.balloon->statistics_ns)
                                                          : json(nullptr)},
                   {"link", to_text(config.net.link)},
                   {"bus", config.virtio_bus == VirtioBus::Mmio ? "mmio" : "pci"},
                   {"net-queues", config.net.queues},
                   {"net", name_of(config.net.kind)},
                   {"mac", mac_to_text(config.net.mac)},
                   {"net-where", config.net.where},
                   {"kernel", absolute(config.kernel)},
                   {"initrd", absolute(config.initrd)},
                   {"dtb", absolute(config.dtb)},
                   {"bios", absolute(config.bios)},
                   {"nvram", absolute(config.nvram)},
                   {"append", config.append},
                   {"netdevs", netdevs},
                   {"plugged", plugged_json(config)},
                   {"disks", disks}};
    return out.dump(1);
}

Result<Manifest> parse_manifest(std::string_view text, const std::string &path) {
    const auto damaged = [&] {
        return failure(
            fmt::format("{}: damaged: its manifest makes no sense; use another snapshot", path));
    };
    const json in = json::parse(text, nullptr, false);
    if (!in.is_object()) return damaged();
    Manifest manifest;
    MachineConfig &config = manifest.config;
    // The library reports a missing or mistyped value by an exception; it ends here.
    try {
        config.cpus = in.at("cpus");
        config.memory = in.at("memory");
        config.cpu_model = in.at("cpu");
        config.architected_pauth = in.at("architected-pauth");
        config.gic_version = in.at("gic");
        config.acpi = in.at("acpi");
        config.watchdog = value_in(kWatchdogActions, in.at("watchdog").get<std::string_view>());
        config.on_panic = value_in(kPanicActions, in.value("on-panic", ""));
        if (in.at("console").get<bool>()) config.console.emplace().kind = SerialConfig::Kind::None;
        if (const std::string kind = in.value("semihosting", ""); !kind.empty()) {
            SemihostingConfig &semihosting = config.semihosting.emplace();
            if (kind == kSemihostingOwnLine)
                semihosting.line.emplace().kind = SerialConfig::Kind::None;
        }
        for (const json &name : in.value("ports", json::array())) {
            PortConfig &port = config.ports.emplace_back();
            port.name = name;
            port.line.kind = SerialConfig::Kind::None;
        }
        if (in.value("sensors", false)) config.sensors.emplace(); // what they measure is state
        if (in.value("sound", false)) config.sound.emplace();
        for (const json &size : in.value("screens", json::array())) {
            const auto mode = parse_screen(size.get<std::string_view>());
            if (!mode.has_value()) return damaged();
            config.screens.push_back(*mode);
        }
        for (const json &kind : in.value("inputs", json::array()))
            config.inputs.push_back(known_value(devices::kInputKinds, kind));
        if (const u64 cid = in.value("vsock", u64{0}); cid != 0) config.vsock.emplace().cid = cid;
        if (const json balloon = in.value("balloon", json()); !balloon.is_null())
            config.balloon.emplace().statistics_ns = balloon;
        if (!apply_link_settings(in.value("link", ""), config.net.link).has_value())
            return damaged();
        config.virtio_bus = in.value("bus", "pci") == "mmio" ? VirtioBus::Mmio : VirtioBus::Pci;
        config.net.kind = known_value(kNetKinds, in.at("net"));
        config.net.mac = parse_mac(in.value("mac", "")).value_or(kDefaultMac);
        config.net.where = in.value("net-where", "");
        config.net.queues = in.value("net-queues", 1u);
        config.kernel = in.at("kernel");
        config.initrd = in.at("initrd");
        config.dtb = in.at("dtb");
        config.bios = in.at("bios");
        config.nvram = in.at("nvram");
        config.append = in.at("append");
        for (const json &disk : in.at("disks")) read_disk(disk, manifest);
        for (const json &netdev : in.value("netdevs", json::array()))
            config.netdevs.push_back({.id = netdev.get<std::string>(), .net = {}});
        for (const json &device : in.value("plugged", json::array()))
            config.plugged.push_back(read_plugged(device));
    } catch (const json::exception &) {
        return damaged();
    }
    return manifest;
}

Result<> check_same_machine(const MachineConfig &saved, const MachineConfig &wanted,
                            const std::string &owner) {
    if (wanted.cpus != saved.cpus)
        return differs(fmt::format("--cpus {}", wanted.cpus), owner, fmt::format("{}", saved.cpus));
    if (wanted.memory != saved.memory)
        return differs(fmt::format("--memory {}M", wanted.memory >> 20), owner,
                       fmt::format("{} MiB", saved.memory >> 20));
    if (wanted.cpu_model != saved.cpu_model)
        return differs("--cpu " + wanted.cpu_model, owner, saved.cpu_model);
    if (wanted.architected_pauth != saved.architected_pauth)
        return differs("--cpu", owner, saved.architected_pauth ? "pauth=qarma5" : "pauth=impdef");
    if (wanted.gic_version != saved.gic_version)
        return differs(fmt::format("--gic {}", wanted.gic_version), owner,
                       fmt::format("{}", saved.gic_version));
    if (wanted.net.kind != saved.net.kind)
        return differs("--net", owner, std::string(name_of(saved.net.kind)));
    if (wanted.net.mac != saved.net.mac)
        return differs("--net mac=" + mac_to_text(wanted.net.mac), owner,
                       mac_to_text(saved.net.mac));
    if (wanted.net.queues != saved.net.queues)
        return differs(fmt::format("--net queues={}", wanted.net.queues), owner,
                       fmt::format("{}", saved.net.queues));
    if (wanted.watchdog.has_value() != saved.watchdog.has_value())
        return differs("--watchdog", owner, saved.watchdog.has_value() ? "one" : "none");
    if (wanted.on_panic.has_value() != saved.on_panic.has_value())
        return differs("--on-panic", owner, saved.on_panic.has_value() ? "one" : "none");
    if (wanted.console.has_value() != saved.console.has_value())
        return differs("--console", owner, saved.console.has_value() ? "one" : "none");
    if (const std::string_view kind = name_of_semihosting(saved);
        kind != name_of_semihosting(wanted))
        return differs("--semihosting", owner,
                       kind.empty()                  ? "none"
                       : kind == kSemihostingOwnLine ? "a line of its own"
                                                     : "its output on the serial line");
    // Before the disks, of which some are theirs.
    if (wanted.plugged != saved.plugged)
        return failure(fmt::format("root ports: {} {}; give the machine the same with device_add "
                                   "and device_del",
                                   owner,
                                   saved.plugged.empty() ? "nothing there" : list_of(saved)));
    const auto names = [](const MachineConfig &config) {
        std::vector<std::string_view> all;
        for (const PortConfig &port : config.ports) all.push_back(port.name);
        return fmt::format("{}", fmt::join(all, ", "));
    };
    if (names(wanted) != names(saved))
        return failure(
            fmt::format("--port: {} {}; give it the same (--port NAME=none, if nobody is "
                        "at the other end)",
                        owner, saved.ports.empty() ? "none" : names(saved)));
    const auto cid = [](const MachineConfig &config) {
        return config.vsock.has_value() ? config.vsock->cid : 0;
    };
    if (cid(wanted) != cid(saved))
        return differs("--vsock", owner,
                       cid(saved) == 0 ? "none" : fmt::format("cid={}", cid(saved)));
    if (wanted.sensors.has_value() != saved.sensors.has_value())
        return differs("--sensors", owner, saved.sensors.has_value() ? "some" : "none");
    if (wanted.sound.has_value() != saved.sound.has_value())
        return differs("--audio", owner, saved.sound.has_value() ? "some" : "none");
    // Their sizes are state: a screen may have become another.
    if (wanted.screens.size() != saved.screens.size())
        return differs("--screen", owner, fmt::format("{} screens", saved.screens.size()));
    if (wanted.inputs != saved.inputs) {
        std::vector<std::string_view> kinds;
        for (const devices::InputKind kind : saved.inputs) kinds.push_back(name_of(kind));
        return failure(
            fmt::format("--input: {} {}; give it the same", owner,
                        kinds.empty() ? "none" : fmt::format("{}", fmt::join(kinds, ", "))));
    }
    if (wanted.balloon.has_value() != saved.balloon.has_value())
        return differs("--balloon", owner, saved.balloon.has_value() ? "one" : "none");
    if (wanted.virtio_bus != saved.virtio_bus)
        return differs("--bus", owner, saved.virtio_bus == VirtioBus::Mmio ? "mmio" : "pci");
    if (wanted.disks.size() != saved.disks.size())
        return differs("--disk", owner, fmt::format("{} disks", saved.disks.size()));
    for (std::size_t i = 0; i < saved.disks.size(); ++i) {
        const DiskConfig &a = wanted.disks[i], &b = saved.disks[i];
        if (a.bus != b.bus || a.is_cdrom != b.is_cdrom || a.readonly != b.readonly ||
            a.snapshot != b.snapshot)
            return failure(fmt::format("--disk {}: {} bus={}{}{}{}; give it the same", a.path,
                                       owner, name_of(b.bus), b.is_cdrom ? ",media=cdrom" : "",
                                       b.readonly ? ",readonly" : "",
                                       b.snapshot ? ",snapshot" : ""));
    }
    return {};
}

} // namespace tandem::machine::snapshot
