// Whether a configuration makes sense.
#include "devices/virtio/console/virtio_console.h"
#include "devices/virtio/fs/virtio_fs.h"
#include "devices/virtio/net/virtio_net.h"
#include "devices/virtio/scsi/virtio_scsi.h"
#include "devices/virtio/vsock/vsock_config.h"
#include "machine/board/memory_map.h"
#include "machine/board/microvm/microvm_check.h"
#include "machine/machine.h"
#include "machine/screen/screen_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine {
namespace {

Result<> check_scsi(const MachineConfig &config) {
    for (const DiskBus bus : {DiskBus::Scsi, DiskBus::ScsiMmio})
        if (std::ranges::count(config.disks, bus, &DiskConfig::bus) >
            static_cast<std::ptrdiff_t>(devices::VirtioScsi::kMaxUnits))
            return failure(fmt::format("--disk: more than {} disks with bus={}; use fewer",
                                       devices::VirtioScsi::kMaxUnits, name_of(bus)));
    return {};
}

/// A manifest may say anything.
Result<> check_plugged(const MachineConfig &config) {
    const auto backend_of = [&](const PluggedDevice &device) -> bool {
        switch (device.kind) {
        case PluggedDevice::Kind::Disk: {
            const auto disk = std::ranges::find(config.disks, device.backend, &DiskConfig::node);
            return disk != config.disks.end() && disk->bus == DiskBus::Port;
        }
        case PluggedDevice::Kind::Net:
            return std::ranges::count(config.netdevs, device.backend, &NetdevConfig::id) == 1;
        case PluggedDevice::Kind::Entropy: return true;
        }
        return false;
    };
    const auto on_ports = std::ranges::count(config.disks, DiskBus::Port, &DiskConfig::bus);
    const auto with_disks =
        std::ranges::count(config.plugged, PluggedDevice::Kind::Disk, &PluggedDevice::kind);
    bool is_sound = on_ports == with_disks;
    for (const PluggedDevice &device : config.plugged)
        is_sound = is_sound && device.port < kPciePorts && backend_of(device) &&
                   std::ranges::count(config.plugged, device.port, &PluggedDevice::port) == 1;
    if (is_sound) return {};
    return failure(
        "root ports: what is said of their devices makes no sense; use another snapshot");
}

Result<> check_shares(const MachineConfig &config) {
    for (std::size_t i = 0; i < config.shares.size(); ++i) {
        const ShareConfig &share = config.shares[i];
        if (share.tag.size() > devices::VirtioFs::kMaxTag)
            return failure(fmt::format("--share {}: the tag {} is longer than {} bytes; use a "
                                       "shorter one",
                                       share.path, share.tag, devices::VirtioFs::kMaxTag));
        for (std::size_t j = 0; j < i; ++j)
            if (config.shares[j].tag == share.tag)
                return failure(fmt::format("--share {}: another share has the tag {}; give it one "
                                           "of its own: --share {}:TAG",
                                           share.path, share.tag, share.path));
    }
    return {};
}

Result<> check_slots(const MachineConfig &config) {
    const bool has_net = config.net.kind != NetConfig::Kind::None;
    const bool has_console = config.console.has_value() || !config.ports.empty();
    const std::size_t others = config.shares.size() + 1 /* entropy */ + (has_net ? 1 : 0) +
                               (has_console ? 1 : 0) + (config.vsock.has_value() ? 1 : 0) +
                               (config.balloon.has_value() ? 1 : 0) + config.inputs.size() +
                               (config.screens.empty() ? 0 : 1);
    struct Row {
        VirtioBus bus;
        DiskBus disk, scsi;
        const char *name;
        std::size_t slots;
    };
    for (const Row &row :
         {Row{VirtioBus::Pci, DiskBus::Pci, DiskBus::Scsi, "PCI", kPciSlots},
          Row{VirtioBus::Mmio, DiskBus::Mmio, DiskBus::ScsiMmio, "MMIO", kVirtioSlots}}) {
        const auto on = [&config](DiskBus bus) {
            return static_cast<std::size_t>(
                std::ranges::count(config.disks, bus, &DiskConfig::bus));
        };
        // A SCSI adapter takes one slot for all of its units.
        const std::size_t disks = on(row.disk) + (on(row.scsi) != 0 ? 1 : 0);
        // Whatever bus virtio devices are on.
        const std::size_t functions =
            row.bus == VirtioBus::Pci
                ? (config.on_panic.has_value() ? 1u : 0u) + (config.sound.has_value() ? 1u : 0u)
                : 0;
        const std::size_t devices = disks + (row.bus == config.virtio_bus ? others : 0) + functions;
        if (devices > row.slots)
            return failure(fmt::format("--disk: {} disks and {} other devices on {}; the "
                                       "board has {} slots there: move disks with bus=, or others "
                                       "with --bus",
                                       disks, devices - disks, row.name, row.slots));
    }
    return {};
}

Result<> check_display(const MachineConfig &config) {
    if (!config.display.any()) return {};
    if (config.screens.empty())
        return failure("--display: the machine has no screen; add --screen WIDTHxHEIGHT");
    if (config.display.vnc.has_value() && config.display.vnc->head >= config.screens.size())
        return failure(fmt::format("--display vnc,head={}: there is no such screen; use 0 to {}",
                                   config.display.vnc->head, config.screens.size() - 1));
    return {};
}

Result<> check_network(const MachineConfig &config) {
    if (config.net.queues >= 1 && config.net.queues <= devices::VirtioNet::kMaxPairs) return {};
    return failure(fmt::format("--net queues={}: out of range; use 1 to {}", config.net.queues,
                               devices::VirtioNet::kMaxPairs));
}

Result<> check_lines(const MachineConfig &config) {
    const auto is_stdio = [](const SerialConfig &line) {
        return line.kind == SerialConfig::Kind::Stdio;
    };
    const bool console = config.console.has_value() && is_stdio(*config.console);
    if (is_stdio(config.serial) && console)
        return failure("--console stdio: the serial line is there already; add --serial none");
    const bool semihosting = config.semihosting.has_value() &&
                             config.semihosting->line.has_value() &&
                             is_stdio(*config.semihosting->line);
    if (semihosting && (is_stdio(config.serial) || console))
        return failure("--semihosting stdio: another line is there already; add --serial none, or "
                       "use --semihosting console");
    if (config.ports.size() > devices::VirtioConsole::kMaxPorts)
        return failure(fmt::format("--port: {} ports; the console has {} at most",
                                   config.ports.size(), devices::VirtioConsole::kMaxPorts));
    for (auto port = config.ports.begin(); port != config.ports.end(); ++port) {
        if (is_stdio(port->line))
            return failure(fmt::format("--port {}: stdio is for people; use unix:PATH, tcp:, pty "
                                       "or file:",
                                       port->name));
        if (std::ranges::find(config.ports.begin(), port, port->name, &PortConfig::name) != port)
            return failure(fmt::format(
                "--port {}: another port has that name; give it one of its own", port->name));
    }
    return {};
}

} // namespace

Result<> check_config(const MachineConfig &config) {
    if (config.cpus < 1 || config.cpus > kMaxCpus)
        return failure(fmt::format("--cpus {}: out of range; use 1 to {}", config.cpus, kMaxCpus));
    if (config.gic_version != 2 && config.gic_version != 3)
        return failure(fmt::format("--gic {}: no such version; use 2 or 3", config.gic_version));
    if (config.gic_version == 2 && config.cpus > kMaxGicV2Cpus)
        return failure(fmt::format("--cpus {}: a GICv2 serves {} CPUs at most; use --gic 3",
                                   config.cpus, kMaxGicV2Cpus));
    if (config.memory < kMinMemory)
        return failure(fmt::format("--memory: {} are too few; use {} or more",
                                   human_size(config.memory), human_size(kMinMemory)));
    if (config.memory > kMaxMemory)
        return failure(fmt::format("--memory: {} are more than the board can address; use {} or "
                                   "less",
                                   human_size(config.memory), human_size(kMaxMemory)));
    if (config.memory % (2u << 20) != 0)
        return failure("--memory: not a multiple of 2 MiB; round it");
    if (config.board == BoardKind::Microvm)
        TRY(check_microvm(config));
    else
        TRY(check_slots(config));
    TRY(check_scsi(config));
    TRY(check_shares(config));
    TRY(check_plugged(config));
    TRY(check_lines(config));
    if (config.sensors.has_value() && config.board == BoardKind::Microvm)
        return failure("--sensors: only machines for arm64 have them; leave it out");
    if (config.sound.has_value() && config.board == BoardKind::Microvm)
        return failure("--audio: only machines for arm64 have sound; leave it out");
    if (config.screens.size() > kMaxScreens)
        return failure(fmt::format("--screen: {} screens; the graphics card has {} at most",
                                   config.screens.size(), kMaxScreens));
    TRY(check_network(config));
    TRY(check_display(config));
    if (config.vsock.has_value() && (config.vsock->cid < devices::virtio_vsock::kFirstGuestCid ||
                                     config.vsock->cid > devices::virtio_vsock::kLastGuestCid))
        return failure(fmt::format("--vsock cid={}: not a guest's; use {} to {}", config.vsock->cid,
                                   devices::virtio_vsock::kFirstGuestCid,
                                   devices::virtio_vsock::kLastGuestCid));
    if (config.deterministic.has_value() && !config.shares.empty())
        return failure(
            "--share: a deterministic machine has no shared folders yet; leave them out");
    if (config.deterministic.has_value() && config.semihosting.has_value() &&
        !config.semihosting->folder.empty())
        return failure("--semihosting-folder: a deterministic machine has no files of the host; "
                       "leave it out");
    if (!config.incoming.empty()) {
        if (config.deterministic.has_value())
            return failure("--incoming: a deterministic machine cannot be moved; leave it out");
        if (!config.restore.empty())
            return failure("--incoming: --restore starts from something else; leave one out");
        if (!config.shares.empty())
            return failure("--incoming: a machine with shared folders cannot be moved, as they "
                           "stay with their host; leave --share out");
    }
    if (config.deterministic.has_value() && !config.restore.empty())
        return failure("--restore: a deterministic machine starts with a boot; leave it out");
    if (config.kernel.empty() && config.bios.empty())
        return failure("nothing to run; name a kernel (tandem run KERNEL) or firmware (--bios F)");
    const bool is_searched =
        config.deterministic.has_value() && config.deterministic->keeps_history;
    if (config.starts_stopped && !config.gdb.has_value() && config.control.empty() && !is_searched)
        return failure("--gdb-wait: nobody could start the machine; add --gdb or --qmp");
    if (config.profile.has_value())
        TRY(profile::check_profile(*config.profile, config.deterministic.has_value()));
    if (config.kernel.empty() && !config.initrd.empty())
        return failure(fmt::format("{}: an initrd needs a kernel; add --kernel F", config.initrd));
    return {};
}

} // namespace tandem::machine
