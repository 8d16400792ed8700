#pragma once
/// A running machine as its control socket sees it.
#include "devices/pcie/pci_function.h"
#include "machine/board/balloon_info.h"
#include "machine/board/machine_config.h"
#include "machine/display/display_host.h"
#include "machine/display/vnc_service.h"
#include "machine/input/input_hub.h"
#include "machine/move/progress.h"
#include "support/bits.h"
#include "support/result.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem::machine {

class DebugTarget;

struct ControlledSnapshot {
    std::string tag;
    u64 bytes = 0;
    u64 seconds = 0;           ///< when it was saved, since 1970
    u64 guest_ns = 0;          ///< how long the guest had run
    std::string based_on = {}; ///< another that it needs; empty: none
    std::string damage = {};   ///< why it cannot be used; empty: it can
};
struct SnapshotReport {
    u64 bytes = 0;
    u64 pause_ns = 0; ///< for how long the guest stood still
    std::string based_on = {};
};
/// What becomes of a snapshot that has the tag already.
enum class SameTag : u8 { Refuse, Replace };

struct ControlledDisk {
    std::string name; ///< "disk0"
    std::string path;
    std::string format;
    u64 size = 0;
    bool read_only = false;
    bool uses_page_cache = true; ///< of the host
    bool ignores_flushes = false;
    bool writes_back = true;
};

/// A disk that devices can be given.
struct BlockNode {
    DiskConfig disk;
    bool is_file = false;  ///< opened when a device or another node uses it
    std::string over = {}; ///< the node of a file that it is in, instead of a path
};

struct DeviceRequest {
    PluggedDevice device;
    std::optional<unsigned> port = {}; ///< else any that is free
    std::string serial = {};           ///< of a disk
};

/// Any thread, at any time.
class MachineControl : public DisplayHost {
public:
    [[nodiscard]] virtual std::string machine_name() const = 0;
    /// The host thread of each CPU; 0 while it has none.
    [[nodiscard]] virtual std::vector<int> cpu_threads() const = 0;
    [[nodiscard]] virtual std::vector<ControlledDisk> disks() const = 0;

    /// Returns when every CPU stands between two instructions and nothing is under way.
    virtual void pause() = 0;
    /// Fails if the machine goes on elsewhere, and has its disks there.
    [[nodiscard]] virtual Result<> resume() = 0;
    virtual void reset() = 0;

    /// The CPUs and memory.
    [[nodiscard]] virtual DebugTarget &debug_target() = 0;
    /// Serves one debugger at a time at this address, or, without one, none any more.
    [[nodiscard]] virtual Result<> serve_debugger(const std::optional<GdbAddress> &) = 0;
    [[nodiscard]] virtual std::vector<ControlledSnapshot> snapshots() const = 0;
    [[nodiscard]] virtual Result<SnapshotReport> save_snapshot(const std::string &tag, SameTag) = 0;
    /// Returns when the machine is what was saved.
    [[nodiscard]] virtual Result<> load_snapshot(const std::string &tag) = 0;
    [[nodiscard]] virtual Result<> delete_snapshot(const std::string &tag) = 0;

    // Back ends and devices that come and go.
    [[nodiscard]] virtual Result<> add_disk(const BlockNode &) = 0;
    /// Fails, like the next, while a device has it.
    [[nodiscard]] virtual Result<> remove_disk(const std::string &node) = 0;
    [[nodiscard]] virtual Result<> add_net(const NetdevConfig &) = 0;
    [[nodiscard]] virtual Result<> remove_net(const std::string &id) = 0;
    /// Of the first network, if the id is empty.
    [[nodiscard]] virtual Result<> add_forward(const std::string &netdev, const HostForward &) = 0;
    [[nodiscard]] virtual Result<> remove_forward(const std::string &netdev,
                                                  const HostForward &) = 0;
    /// The guest finds the device in a root port.
    [[nodiscard]] virtual Result<> plug(const DeviceRequest &) = 0;
    /// Asks the guest to let go of the device; an event tells when it has.
    [[nodiscard]] virtual Result<> unplug(const std::string &id) = 0;
    [[nodiscard]] virtual std::vector<PluggedDevice> devices() const = 0;
    [[nodiscard]] virtual std::vector<devices::PciFunctionView> pci_functions() const = 0;

    /// Nothing: there is no balloon.
    [[nodiscard]] virtual std::optional<BalloonInfo> balloon() const = 0;
    /// Asks the guest to keep so many bytes.
    [[nodiscard]] virtual Result<> set_balloon(u64 bytes) = 0;
    /// The network link's settings (machine/link); empty: it is not shaped.
    [[nodiscard]] virtual std::string link() const = 0;
    [[nodiscard]] virtual Result<> change_link(const std::string &settings) = 0;

    /// See InputHub. Nobody touches a replay.
    [[nodiscard]] virtual Result<> press_keys(std::vector<u16> codes, u64 hold_ns) = 0;
    [[nodiscard]] virtual std::vector<PointerInfo> pointers() const = 0;

    /// What is around the machine; nothing: it has no sensors.
    [[nodiscard]] virtual std::optional<devices::QuantityValues> sensors() const = 0;
    /// The value is within the quantity's range. Nobody touches a replay.
    [[nodiscard]] virtual Result<> set_sensor(devices::Quantity,
                                              const devices::QuantityValue &) = 0;

    /// Nothing: there is no VNC server.
    [[nodiscard]] virtual std::optional<VncInfo> vnc() const = 0;
    /// Fails where none was asked for from the start.
    [[nodiscard]] virtual Result<> set_vnc_password(const std::string &) = 0;

    /// Writes the last part of the run to a file; what to tell of it.
    [[nodiscard]] virtual Result<std::string> dump_recording() = 0;

    /// Begins to move the machine to the process at that address.
    [[nodiscard]] virtual Result<> move(const std::string &where) = 0;
    virtual void cancel_move() = 0;
    [[nodiscard]] virtual MoveReport move_report() const = 0;
    [[nodiscard]] virtual MoveParameters move_parameters() const = 0;
    virtual void set_move_parameters(const MoveParameters &) = 0;
};

enum class MachineEvent : u8 { Stop, Resume, PowerDown, Reset, Shutdown };

enum class DeviceEvent : u8 { Deleted, UnplugRefused };

/// Whose doing an event is.
enum class EventCause : u8 {
    None,
    GuestShutdown,
    GuestReset,
    GuestPanic,
    ControlQuit,
    ControlReset,
    Signal,    ///< of the host, or its time limit
    HostError, ///< what the machine needs of the host failed
    Console,
};

class MachineObserver {
public:
    virtual ~MachineObserver() = default;
    /// Any thread; returns at once.
    virtual void machine_event(MachineEvent, EventCause) = 0;
};

} // namespace tandem::machine
