#pragma once
/// The virtio devices of a machine, whatever the board that they are plugged into.
#include "devices/virtio/core/virtio_device.h"
#include "machine/board/board.h"

namespace tandem::devices {
class VirtioBalloon;
class VirtioGpu;
} // namespace tandem::devices

namespace tandem::machine {

class ShapedNet;

class VirtioParts {
public:
    struct Part {
        std::string name;
        VirtioBus bus;
        std::unique_ptr<devices::VirtioDevice> device;
    };

    /// All but the devices in root ports. What it is given outlives this, which outlives the
    /// devices.
    VirtioParts(const MachineConfig &, const HostBackends &, devices::Clock &, u64 ram_size);
    ~VirtioParts();

    /// Once: in the order in which the guest should meet them.
    [[nodiscard]] std::vector<Part> take() { return std::move(parts_); }

    // As Board has them; any thread.
    [[nodiscard]] std::optional<BalloonInfo> balloon() const;
    void set_balloon(u64 bytes);
    void set_screen(u32 output, const devices::DisplayMode &);
    [[nodiscard]] std::optional<LinkConfig> link() const;
    void set_link(const LinkConfig &);
    /// Of the network card; null: there is none.
    [[nodiscard]] ShapedNet *shaped_net() { return link_.get(); }

private:
    void add(std::string name, VirtioBus, std::unique_ptr<devices::VirtioDevice>);
    void add_disks(const MachineConfig &, const HostBackends &);
    void add_balloon(const MachineConfig &, const HostBackends &, devices::Clock &);
    void add_shares(const MachineConfig &, const HostBackends &);
    [[nodiscard]] u64 left_by_balloon(u64 pages) const;

    const u64 ram_size_;
    std::vector<Part> parts_;
    std::unique_ptr<ShapedNet> link_;
    devices::VirtioBalloon *balloon_ = nullptr; ///< null: there is none
    devices::VirtioGpu *gpu_ = nullptr;         ///< likewise
};

} // namespace tandem::machine
