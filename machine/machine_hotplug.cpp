#include "machine/machine_hotplug.h"

#include "machine/board/memory_map.h"
#include "machine/control/qmp_server.h"
#include "machine/machine_move.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace tandem::machine {
namespace {

/// How often it is looked whether a move is over.
constexpr std::chrono::milliseconds kMoveStep{100};

template <typename List, typename Name>
bool has(const List &list, const std::string &name, Name member) {
    return std::ranges::find(list, name, member) != list.end();
}

} // namespace

Machine::Hotplug::~Hotplug() {
    {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

Result<Board *> Machine::Hotplug::changeable_board(const std::string &what) const {
    TRY(machine_.check_not_moving(what));
    if (machine_.session_ != nullptr)
        return failure(fmt::format("{}: a deterministic machine keeps the devices it starts with, "
                                   "as its recording has no others; start it with them",
                                   what));
    const std::lock_guard lock(machine_.mutex_);
    if (machine_.board_ == nullptr)
        return failure(fmt::format("{}: the machine does not run; try again when it does", what));
    return machine_.board_;
}

// ----------------------------------------------------------------------------------------- disks

Result<> Machine::Hotplug::check_is_new(const std::string &node) const {
    const bool is_known =
        has(machine_.config_.disks, node, &DiskConfig::node) ||
        std::ranges::any_of(disks_, [&](const auto &each) { return each.node.disk.node == node; });
    if (is_known) return failure(fmt::format("Duplicate nodes with node-name='{}'", node));
    return {};
}

bool Machine::Hotplug::is_under_another(const std::string &node) const {
    return has(plugged_nodes_, node, &BlockNode::over) ||
           std::ranges::any_of(disks_, [&](const auto &each) { return each.node.over == node; });
}

Result<> Machine::Hotplug::add_disk(const BlockNode &wanted) {
    const std::lock_guard control(machine_.control_mutex_);
    TRY(check_is_new(wanted.disk.node));
    SpareDisk spare{wanted, nullptr};
    if (!wanted.over.empty()) {
        const auto file = std::ranges::find_if(
            disks_, [&](const auto &each) { return each.node.disk.node == wanted.over; });
        if (file == disks_.end() || !file->node.is_file)
            return failure(fmt::format("Cannot find device='' nor node-name='{}'", wanted.over));
        if (is_under_another(wanted.over))
            return failure(fmt::format("Node '{}' is in use", wanted.over));
        spare.node.disk.path = file->node.disk.path;
    }
    const DiskConfig &config = spare.node.disk;
    if (wanted.is_file) {
        std::error_code error;
        if (!std::filesystem::exists(config.path, error))
            return failure(
                fmt::format("Could not open '{}': No such file or directory", config.path));
    } else {
        spare.disk = TRY(HostDisk::open(config.path, {.readonly = config.readonly,
                                                      .identity = config.node,
                                                      .format = config.format,
                                                      .cache = config.cache}));
    }
    disks_.push_back(std::move(spare));
    return {};
}

Result<> Machine::Hotplug::remove_disk(const std::string &node) {
    const std::lock_guard control(machine_.control_mutex_);
    const bool is_used =
        has(machine_.config_.disks, node, &DiskConfig::node) || is_under_another(node);
    if (is_used) return failure(fmt::format("Node {} is in use", node));
    const auto found =
        std::ranges::find_if(disks_, [&](const auto &each) { return each.node.disk.node == node; });
    if (found == disks_.end())
        return failure(fmt::format("Failed to find node with node-name='{}'", node));
    disks_.erase(found);
    return {};
}

// -------------------------------------------------------------------------------------- networks

Result<> Machine::Hotplug::add_net(const NetdevConfig &wanted) {
    const std::lock_guard control(machine_.control_mutex_);
    const bool is_known =
        has(machine_.config_.netdevs, wanted.id, &NetdevConfig::id) ||
        std::ranges::any_of(nets_, [&](const auto &each) { return each.config.id == wanted.id; });
    if (is_known) return failure(fmt::format("Duplicate ID '{}' for netdev", wanted.id));
    nets_.push_back({wanted, TRY(UserNet::create(wanted.net))});
    return {};
}

Result<> Machine::Hotplug::remove_net(const std::string &id) {
    const std::lock_guard control(machine_.control_mutex_);
    if (has(machine_.config_.netdevs, id, &NetdevConfig::id))
        return failure(fmt::format("netdev '{}' is in use; remove its device first", id));
    const auto found =
        std::ranges::find_if(nets_, [&](const auto &each) { return each.config.id == id; });
    if (found == nets_.end()) return failure(fmt::format("Device '{}' not found", id));
    nets_.erase(found);
    return {};
}

Result<UserNet *> Machine::Hotplug::find_net(const std::string &id) const {
    if (id.empty() && machine_.user_net_ != nullptr) return machine_.user_net_;
    for (std::size_t i = 0; i < machine_.netdevs_.size(); ++i)
        if (id.empty() || machine_.config_.netdevs[i].id == id) return machine_.netdevs_[i].get();
    for (const SpareNet &spare : nets_)
        if (spare.config.id == id) return spare.net.get();
    return failure(fmt::format("network '{}' not found", id));
}

Result<> Machine::Hotplug::add_forward(const std::string &netdev, const HostForward &forward) {
    const std::lock_guard control(machine_.control_mutex_);
    TRY(changeable_board("hostfwd_add"));
    return TRY(find_net(netdev))->add_forward(forward);
}

Result<> Machine::Hotplug::remove_forward(const std::string &netdev, const HostForward &forward) {
    const std::lock_guard control(machine_.control_mutex_);
    TRY(changeable_board("hostfwd_remove"));
    return TRY(find_net(netdev))->remove_forward(forward);
}

// --------------------------------------------------------------------------------------- devices

Result<unsigned> Machine::Hotplug::choose_port(const DeviceRequest &request) const {
    const auto occupant = [this](unsigned port) {
        return std::ranges::find(machine_.config_.plugged, port, &PluggedDevice::port);
    };
    if (request.port.has_value()) {
        const auto found = occupant(*request.port);
        if (found == machine_.config_.plugged.end()) return *request.port;
        return failure(fmt::format("PCI: slot 0 function 0 already occupied by {}, new function "
                                   "cannot be exposed to guest",
                                   found->id));
    }
    for (unsigned port = 0; port < kPciePorts; ++port)
        if (occupant(port) == machine_.config_.plugged.end()) return port;
    return failure(fmt::format("{}: no root port is free of {}; remove a device first",
                               request.device.id, kPciePorts));
}

Result<> Machine::Hotplug::plug(const DeviceRequest &request) {
    const std::lock_guard control(machine_.control_mutex_);
    Board *board = TRY(changeable_board("device_add"));
    if (!board->has_root_ports())
        return failure("device_add: a machine under KVM has no slots to plug devices into yet; "
                       "start it with them");
    PluggedDevice device = request.device;
    if (has(machine_.config_.plugged, device.id, &PluggedDevice::id))
        return failure(fmt::format("Duplicate device ID '{}'", device.id));
    device.port = TRY(choose_port(request));
    switch (device.kind) {
    case PluggedDevice::Kind::Disk: return plug_disk(*board, request, device);
    case PluggedDevice::Kind::Net: return plug_net(*board, device);
    case PluggedDevice::Kind::Entropy: insert(*board, device, {}); break;
    }
    return {};
}

Result<> Machine::Hotplug::plug_disk(Board &board, const DeviceRequest &request,
                                     const PluggedDevice &device) {
    const auto used = [&] {
        return failure(fmt::format("Property 'virtio-blk-pci.drive' can't take value '{}', it's in "
                                   "use",
                                   device.backend));
    };
    if (has(machine_.config_.disks, device.backend, &DiskConfig::node)) return used();
    const auto spare = std::ranges::find_if(
        disks_, [&](const auto &each) { return each.node.disk.node == device.backend; });
    if (spare == disks_.end())
        return failure(
            fmt::format("Property 'virtio-blk-pci.drive' can't find value '{}'", device.backend));
    if (is_under_another(device.backend)) return used();
    DiskConfig config = spare->node.disk;
    config.bus = DiskBus::Port;
    config.serial = request.serial;
    if (spare->disk == nullptr)
        spare->disk = TRY(HostDisk::open(config.path, {.readonly = config.readonly,
                                                       .identity = config.node,
                                                       .format = config.format,
                                                       .cache = config.cache}));
    spare->disk->set_identity(config.serial.empty() ? config.node : config.serial);
    devices::Block *disk = spare->disk.get();
    {
        const std::lock_guard lock(machine_.mutex_);
        machine_.config_.disks.push_back(std::move(config));
        machine_.disks_.push_back(std::move(spare->disk));
    }
    plugged_nodes_.push_back(std::move(spare->node));
    disks_.erase(spare);
    insert(board, device, {.disk = disk});
    return {};
}

Result<> Machine::Hotplug::plug_net(Board &board, const PluggedDevice &device) {
    if (has(machine_.config_.netdevs, device.backend, &NetdevConfig::id))
        return failure(fmt::format("Property 'virtio-net-pci.netdev' can't take value '{}', it's "
                                   "in use",
                                   device.backend));
    const auto spare = std::ranges::find_if(
        nets_, [&](const auto &each) { return each.config.id == device.backend; });
    if (spare == nets_.end())
        return failure(
            fmt::format("Property 'virtio-net-pci.netdev' can't find value '{}'", device.backend));
    devices::Net *net = spare->net.get();
    {
        const std::lock_guard lock(machine_.mutex_);
        machine_.config_.netdevs.push_back(std::move(spare->config));
        machine_.netdevs_.push_back(std::move(spare->net));
    }
    nets_.erase(spare);
    insert(board, device, {.net = net});
    return {};
}

void Machine::Hotplug::insert(Board &board, const PluggedDevice &device,
                              const Board::PluggedBackend &backend) {
    {
        const std::lock_guard lock(machine_.mutex_);
        machine_.config_.plugged.push_back(device);
    }
    board.pause();
    board.plug(device, backend);
    board.resume();
}

Result<> Machine::Hotplug::unplug(const std::string &id) {
    const std::lock_guard control(machine_.control_mutex_);
    Board *board = TRY(changeable_board("device_del"));
    const auto found = std::ranges::find(machine_.config_.plugged, id, &PluggedDevice::id);
    if (found == machine_.config_.plugged.end())
        return failure(fmt::format("Device '{}' not found", id));
    const PluggedDevice device = *found;
    switch (board->press_port_button(device.port)) {
    case devices::RootPort::Button::Pressed: asked_for_.insert(id); break;
    case devices::RootPort::Button::IsReleased: take_out(*board, device); break;
    case devices::RootPort::Button::Busy:
        return failure(fmt::format("Hot-unplug of {} failed: guest is busy (power indicator "
                                   "blinking); try again when it is not",
                                   id));
    }
    return {};
}

void Machine::Hotplug::take_out(Board &board, const PluggedDevice &device) {
    board.pause();
    board.unplug(device.port);
    board.resume();
    forget(device);
}

void Machine::Hotplug::forget(const PluggedDevice &device) {
    MachineConfig &config = machine_.config_;
    const auto index_of = [&](const auto &list, auto name) {
        return std::ranges::find(list, device.backend, name) - list.begin();
    };
    {
        const std::lock_guard lock(machine_.mutex_);
        if (device.kind == PluggedDevice::Kind::Disk) {
            const auto at = index_of(config.disks, &DiskConfig::node);
            SpareDisk spare{{.disk = config.disks[static_cast<std::size_t>(at)]},
                            std::move(machine_.disks_[static_cast<std::size_t>(at)])};
            const auto node = std::ranges::find_if(
                plugged_nodes_, [&](const auto &each) { return each.disk.node == device.backend; });
            if (node != plugged_nodes_.end()) { // else the machine has started with it
                spare.node = std::move(*node);
                plugged_nodes_.erase(node);
            }
            if (spare.node.is_file) spare.disk.reset();
            config.disks.erase(config.disks.begin() + at);
            machine_.disks_.erase(machine_.disks_.begin() + at);
            disks_.push_back(std::move(spare));
        } else if (device.kind == PluggedDevice::Kind::Net) {
            const auto at = index_of(config.netdevs, &NetdevConfig::id);
            nets_.push_back({config.netdevs[static_cast<std::size_t>(at)],
                             std::move(machine_.netdevs_[static_cast<std::size_t>(at)])});
            config.netdevs.erase(config.netdevs.begin() + at);
            machine_.netdevs_.erase(machine_.netdevs_.begin() + at);
        }
        std::erase_if(config.plugged, [&](const auto &each) { return each.id == device.id; });
    }
    asked_for_.erase(device.id);
    if (machine_.server_ != nullptr)
        machine_.server_->device_event(DeviceEvent::Deleted, device.id);
}

void Machine::Hotplug::finish_removals() {
    const std::lock_guard control(machine_.control_mutex_);
    for (const PluggedDevice &device : std::vector(machine_.config_.plugged))
        if (asked_for_.contains(device.id)) forget(device);
}

// --------------------------------------------------------------------------------------- answers

void Machine::Hotplug::slot_answered(u32 port, devices::SlotAnswer answer) {
    {
        const std::lock_guard lock(mutex_);
        answers_.push_back({port, answer});
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    changed_.notify_all();
}

void Machine::Hotplug::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return is_over_ || !answers_.empty(); });
        if (is_over_) return;
        const Answer answer = answers_.front();
        lock.unlock();
        const bool is_done = handle(answer);
        lock.lock();
        if (is_done)
            answers_.pop_front();
        else
            changed_.wait_for(lock, kMoveStep, [this] { return is_over_; });
    }
}

bool Machine::Hotplug::handle(const Answer &answer) {
    const std::lock_guard control(machine_.control_mutex_);
    // What moves goes as it is; the other side sees the slot's state.
    const auto departure = machine_.departure();
    if (departure != nullptr && !departure->is_over()) return false;
    const auto board = changeable_board("");
    if (!board.has_value()) return true; // it has ended, is reset, or is elsewhere
    const auto &plugged = machine_.config_.plugged;
    const auto found = std::ranges::find(plugged, answer.port, &PluggedDevice::port);
    if (found == plugged.end()) return true;
    const PluggedDevice device = *found;
    if (answer.answer == devices::SlotAnswer::Released) {
        if ((*board)->is_port_released(answer.port)) take_out(**board, device);
    } else if (asked_for_.erase(device.id) != 0 && machine_.server_ != nullptr) {
        machine_.server_->device_event(DeviceEvent::UnplugRefused, device.id);
    }
    return true;
}

} // namespace tandem::machine
