/// Devices in root ports, which come and go while the guest runs.
#include "machine/board/virt_board.h"

#include "devices/pcie/host_bridge.h"
#include "devices/virtio/blk/virtio_blk.h"
#include "devices/virtio/net/virtio_net.h"
#include "devices/virtio/rng/virtio_rng.h"
#include "devices/virtio/transport/virtio_pci.h"
#include "support/check.h"

#include <algorithm>

namespace tandem::machine {

std::unique_ptr<devices::PciFunction> VirtBoard::make_plugged(const PluggedDevice &device,
                                                              const PluggedBackend &backend) {
    std::unique_ptr<devices::VirtioDevice> inner;
    switch (device.kind) {
    case PluggedDevice::Kind::Disk:
        inner = std::make_unique<devices::VirtioBlk>(*backend.disk, config_.cpus);
        break;
    case PluggedDevice::Kind::Net:
        inner = std::make_unique<devices::VirtioNet>(*backend.net,
                                                     device.mac.value_or(backend.net->mac()));
        break;
    case PluggedDevice::Kind::Entropy:
        inner = std::make_unique<devices::VirtioRng>(*backends_.entropy);
        break;
    }
    return std::make_unique<devices::VirtioPci>(device.id, std::move(inner), map_);
}

void VirtBoard::add_plugged() {
    for (const PluggedDevice &device : config_.plugged) {
        PluggedBackend backend;
        const auto disk = std::ranges::find(config_.disks, device.backend, &DiskConfig::node);
        if (disk != config_.disks.end())
            backend.disk = backends_.disks[static_cast<std::size_t>(disk - config_.disks.begin())];
        const auto net = std::ranges::find(config_.netdevs, device.backend, &NetdevConfig::id);
        if (net != config_.netdevs.end())
            backend.net =
                backends_.netdevs[static_cast<std::size_t>(net - config_.netdevs.begin())];
        pcie_->port(device.port)
            .plug(make_plugged(device, backend), devices::RootPort::Plugged::Cold);
    }
}

void VirtBoard::plug(const PluggedDevice &device, const PluggedBackend &backend) {
    CHECK(holds_ != 0);
    auto function = make_plugged(device, backend);
    function->pause(); // as all are, until resume()
    pcie_->port(device.port).plug(std::move(function), devices::RootPort::Plugged::Hot);
}

void VirtBoard::unplug(unsigned port) {
    CHECK(holds_ != 0);
    pcie_->port(port).unplug().reset();
}

devices::RootPort::Button VirtBoard::press_port_button(unsigned port) {
    return pcie_->port(port).press_button();
}

bool VirtBoard::is_port_released(unsigned port) const {
    return pcie_->port(port).is_released();
}

std::vector<devices::PciFunctionView> VirtBoard::pci_functions() const {
    return pcie_->views();
}

} // namespace tandem::machine
