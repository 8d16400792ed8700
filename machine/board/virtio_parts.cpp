#include "machine/board/virtio_parts.h"

#include "devices/virtio/balloon/virtio_balloon.h"
#include "devices/virtio/blk/virtio_blk.h"
#include "devices/virtio/console/virtio_console.h"
#include "devices/virtio/fs/virtio_fs.h"
#include "devices/virtio/gpu/virtio_gpu.h"
#include "devices/virtio/input/virtio_input.h"
#include "devices/virtio/net/virtio_net.h"
#include "devices/virtio/p9/virtio_9p.h"
#include "devices/virtio/rng/virtio_rng.h"
#include "devices/virtio/scsi/virtio_scsi.h"
#include "devices/virtio/vsock/virtio_vsock.h"
#include "machine/link/shaped_net.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine {
namespace {

std::vector<std::unique_ptr<devices::ScsiUnit>> scsi_units(const std::vector<DiskConfig> &configs,
                                                           std::span<devices::Block *const> disks,
                                                           DiskBus bus) {
    std::vector<std::unique_ptr<devices::ScsiUnit>> units;
    for (std::size_t i = 0; i < disks.size(); ++i)
        if (configs[i].bus == bus)
            units.push_back(std::make_unique<devices::ScsiUnit>(
                *disks[i],
                configs[i].is_cdrom ? devices::ScsiKind::CdRom : devices::ScsiKind::Disk));
    return units;
}

} // namespace

VirtioParts::VirtioParts(const MachineConfig &config, const HostBackends &backends,
                         devices::Clock &clock, u64 ram_size)
    : ram_size_(ram_size) {
    add_disks(config, backends);
    const VirtioBus bus = config.virtio_bus;
    if (backends.net != nullptr) {
        u64 seed = config.deterministic.has_value() ? config.deterministic->seed : 0;
        if (!config.deterministic.has_value())
            backends.entropy->fill(std::as_writable_bytes(std::span(&seed, 1)));
        link_ = std::make_unique<ShapedNet>(*backends.net, clock, seed);
        add("net", bus,
            std::make_unique<devices::VirtioNet>(*link_, static_cast<u16>(config.net.queues)));
    }
    add("rng", bus, std::make_unique<devices::VirtioRng>(*backends.entropy));
    if (backends.console != nullptr || !backends.ports.empty()) {
        std::vector<devices::VirtioConsole::NamedPort> ports;
        for (std::size_t i = 0; i < backends.ports.size(); ++i)
            ports.push_back({config.ports[i].name, backends.ports[i]});
        add("console", bus,
            std::make_unique<devices::VirtioConsole>(backends.console, ports,
                                                     backends.port_changed));
    }
    if (config.balloon.has_value()) add_balloon(config, backends, clock);
    if (backends.vsock != nullptr)
        add("vsock", bus,
            std::make_unique<devices::VirtioVsock>(*backends.vsock, config.vsock->cid));
    add_shares(config, backends);
    if (backends.display != nullptr) {
        auto gpu = std::make_unique<devices::VirtioGpu>(*backends.display, config.screens);
        gpu_ = gpu.get();
        add("gpu", bus, std::move(gpu));
    }
    for (std::size_t i = 0; i < backends.inputs.size(); ++i)
        add(fmt::format("input{}", i), bus,
            std::make_unique<devices::VirtioInput>(*backends.inputs[i], config.inputs[i],
                                                   fmt::format("input{}", i)));
}

VirtioParts::~VirtioParts() = default;

void VirtioParts::add(std::string name, VirtioBus bus,
                      std::unique_ptr<devices::VirtioDevice> device) {
    parts_.push_back({std::move(name), bus, std::move(device)});
}

void VirtioParts::add_disks(const MachineConfig &config, const HostBackends &backends) {
    // First, in the order given: Linux names them vda, vdb, ... in the order it meets them.
    for (std::size_t i = 0; i < backends.disks.size(); ++i)
        if (const DiskBus bus = config.disks[i].bus; !is_scsi(bus) && bus != DiskBus::Port)
            add(fmt::format("disk{}", i), bus == DiskBus::Mmio ? VirtioBus::Mmio : VirtioBus::Pci,
                std::make_unique<devices::VirtioBlk>(*backends.disks[i], config.cpus));
    for (const DiskBus bus : {DiskBus::Scsi, DiskBus::ScsiMmio})
        if (auto units = scsi_units(config.disks, backends.disks, bus); !units.empty())
            add("scsi", bus == DiskBus::Scsi ? VirtioBus::Pci : VirtioBus::Mmio,
                std::make_unique<devices::VirtioScsi>(std::move(units), config.cpus));
}

void VirtioParts::add_balloon(const MachineConfig &config, const HostBackends &backends,
                              devices::Clock &clock) {
    auto balloon = std::make_unique<devices::VirtioBalloon>(
        clock, devices::VirtioBalloon::Options{
                   .statistics_ns = config.balloon->statistics_ns,
                   .on_change = [this, changed = backends.balloon_changed](u64 pages) {
                       if (changed) changed(left_by_balloon(pages));
                   }});
    balloon_ = balloon.get();
    add("balloon", config.virtio_bus, std::move(balloon));
}

void VirtioParts::add_shares(const MachineConfig &config, const HostBackends &backends) {
    for (std::size_t i = 0; i < backends.shares.size(); ++i) {
        devices::FileSystem &files = *backends.shares[i];
        const ShareConfig &share = config.shares[i];
        std::unique_ptr<devices::VirtioDevice> device;
        if (share.protocol == ShareConfig::Protocol::NineP)
            device = std::make_unique<devices::Virtio9p>(files, share.tag);
        else
            device = std::make_unique<devices::VirtioFs>(files, share.tag);
        add(fmt::format("share{}", i), config.virtio_bus, std::move(device));
    }
}

u64 VirtioParts::left_by_balloon(u64 pages) const {
    return ram_size_ - std::min(ram_size_, pages * devices::virtio_balloon::kPageSize);
}

std::optional<BalloonInfo> VirtioParts::balloon() const {
    if (balloon_ == nullptr) return std::nullopt;
    BalloonInfo report{.actual = left_by_balloon(balloon_->actual()), .statistics = {}};
    const devices::BalloonStatistics statistics = balloon_->statistics();
    for (std::size_t i = 0; i < statistics.size(); ++i)
        if (statistics[i].has_value())
            report.statistics.emplace_back(devices::kBalloonStatisticNames[i], *statistics[i]);
    return report;
}

void VirtioParts::set_balloon(u64 bytes) {
    if (balloon_ == nullptr) return;
    const u64 pages = (ram_size_ - std::min(ram_size_, bytes)) / devices::virtio_balloon::kPageSize;
    balloon_->set_target(static_cast<u32>(pages));
}

void VirtioParts::set_screen(u32 output, const devices::DisplayMode &mode) {
    if (gpu_ != nullptr) gpu_->set_mode(output, mode);
}

std::optional<LinkConfig> VirtioParts::link() const {
    if (link_ == nullptr) return std::nullopt;
    return link_->link();
}

void VirtioParts::set_link(const LinkConfig &link) {
    if (link_ != nullptr) link_->set_link(link);
}

} // namespace tandem::machine
