#pragma once
/// Part of Machine: devices and back ends that come and go while it runs.
#include "machine/machine.h"

#include <deque>
#include <set>
#include <thread>

namespace tandem::machine {

/// Back ends that no device has are kept here; with a device they are part of the machine's
/// configuration. That changes with control_mutex_ and mutex_ held while there is a board, or by
/// the machine's thread between two boards: who holds either of the two may read it.
class Machine::Hotplug {
public:
    explicit Hotplug(Machine &machine) : machine_(machine) {}
    ~Hotplug();

    // As MachineControl has them.
    [[nodiscard]] Result<> add_disk(const BlockNode &);
    [[nodiscard]] Result<> remove_disk(const std::string &node);
    [[nodiscard]] Result<> add_net(const NetdevConfig &);
    [[nodiscard]] Result<> remove_net(const std::string &id);
    [[nodiscard]] Result<> add_forward(const std::string &netdev, const HostForward &);
    [[nodiscard]] Result<> remove_forward(const std::string &netdev, const HostForward &);
    [[nodiscard]] Result<> plug(const DeviceRequest &);
    [[nodiscard]] Result<> unplug(const std::string &id);

    /// Any thread, with locks of the board held perhaps; returns at once.
    void slot_answered(u32 port, devices::SlotAnswer);
    /// On the machine's thread between two boards: a reset makes the guest let go of everything.
    void finish_removals();

private:
    struct SpareDisk {
        BlockNode node;
        std::unique_ptr<HostDisk> disk; ///< of a file, only once a device has it
    };
    struct SpareNet {
        NetdevConfig config;
        std::unique_ptr<UserNet> net;
    };
    struct Answer {
        u32 port;
        devices::SlotAnswer answer;
    };

    // With control_mutex_ held.
    /// The board, if devices may be plugged and unplugged now.
    [[nodiscard]] Result<Board *> changeable_board(const std::string &what) const;
    [[nodiscard]] bool is_under_another(const std::string &node) const;
    [[nodiscard]] Result<> check_is_new(const std::string &node) const;
    [[nodiscard]] Result<unsigned> choose_port(const DeviceRequest &) const;
    [[nodiscard]] Result<UserNet *> find_net(const std::string &id) const;
    [[nodiscard]] Result<> plug_disk(Board &, const DeviceRequest &, const PluggedDevice &);
    [[nodiscard]] Result<> plug_net(Board &, const PluggedDevice &);
    void insert(Board &, const PluggedDevice &, const Board::PluggedBackend &);
    void take_out(Board &, const PluggedDevice &);
    /// The device is no part of the machine any more, and its back end is a spare one.
    void forget(const PluggedDevice &);
    /// False: not now.
    [[nodiscard]] bool handle(const Answer &);

    void run();

    Machine &machine_;
    std::vector<SpareDisk> disks_;
    std::vector<SpareNet> nets_;
    std::vector<BlockNode> plugged_nodes_; ///< of disks that devices have
    std::set<std::string> asked_for_;      ///< devices that the guest has been asked to let go of

    std::mutex mutex_; ///< guards what follows; the innermost
    std::condition_variable changed_;
    std::deque<Answer> answers_;
    bool is_over_ = false;
    std::thread thread_; ///< acts upon answers; started with the first one
};

} // namespace tandem::machine
