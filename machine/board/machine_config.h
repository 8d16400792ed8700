#pragma once
/// What a machine is made of and started with. Plain data: the command line fills it in, tests
/// write it by hand.
#include "devices/backend/display.h"
#include "devices/sensors/quantities.h"
#include "devices/virtio/input/input_kinds.h"
#include "machine/debug/gdb/gdb_address.h"
#include "machine/display/display_config.h"
#include "machine/host/net/net_config.h"
#include "machine/host/share/share_config.h"
#include "machine/profile/profile_config.h"
#include "machine/replay/deterministic_config.h"
#include "machine/sound/sound_config.h"
#include "machine/storage/host_file.h"
#include "machine/storage/image_format.h"
#include "support/bits.h"
#include "support/names.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::machine {

/// How a virtio device is plugged into the board.
enum class VirtioBus : u8 { Pci, Mmio };

/// How a disk is plugged into the board: a virtio block device of its own, or a unit of the virtio
/// SCSI adapter there.
enum class DiskBus : u8 {
    Pci,
    Mmio,
    Scsi,
    ScsiMmio,
    Port, ///< by one of MachineConfig::plugged
};
inline constexpr std::pair<std::string_view, DiskBus> kDiskBuses[] = {
    {"pci", DiskBus::Pci},
    {"mmio", DiskBus::Mmio},
    {"scsi", DiskBus::Scsi},
    {"scsi-mmio", DiskBus::ScsiMmio},
    {"port", DiskBus::Port}};

[[nodiscard]] constexpr std::string_view name_of(DiskBus bus) {
    return name_in(kDiskBuses, bus);
}
[[nodiscard]] constexpr bool is_scsi(DiskBus bus) {
    return bus == DiskBus::Scsi || bus == DiskBus::ScsiMmio;
}

struct DiskConfig {
    std::string path;
    bool readonly = false;
    bool snapshot = false; ///< writes go to a temporary overlay and are lost at the end
    std::optional<ImageFormat> format = {}; ///< else the content decides
    CacheMode cache = CacheMode::Writeback;
    DiskBus bus = DiskBus::Pci;
    bool is_cdrom = false;   ///< read only, and on SCSI
    std::string node = {};   ///< its name for whoever controls the machine; empty: by its place
    std::string serial = {}; ///< shown to the guest; empty: the node's name
};

/// A network that a device in a root port is connected to.
struct NetdevConfig {
    std::string id;
    NetConfig net;
};

/// A device in a root port: while the machine runs it can be unplugged, and others plugged in.
struct PluggedDevice {
    enum class Kind : u8 { Disk, Net, Entropy };
    std::string id;
    Kind kind = Kind::Disk;
    unsigned port = 0;
    std::string backend = {}; ///< node of a disk, id of a netdev
    std::optional<std::array<u8, 6>> mac = {};

    bool operator==(const PluggedDevice &) const = default;
};

struct SerialConfig {
    enum class Kind : u8 { Stdio, None, File, Pty, Tcp, Unix };
    Kind kind = Kind::Stdio;
    std::string path = {};    ///< File, Unix
    std::string address = {}; ///< Tcp: listens here
    u16 port = 0;
    std::string log = {}; ///< a file that gets the output as well; empty: none
};

/// A port of the virtio console with a name: in Linux /dev/virtio-ports/NAME.
struct PortConfig {
    std::string name;
    SerialConfig line;
};
inline constexpr std::string_view kGuestAgentPort = "org.qemu.guest_agent.0";

/// The guest's sockets to the host (virtio-vsock).
struct VsockConfig {
    u64 cid = 3;
    std::string path; ///< of the host's socket; empty: nobody is at its end
};

/// A bare-metal program's calls of its host.
struct SemihostingConfig {
    std::optional<SerialConfig> line; ///< its console; without it the serial line's output
    std::string folder;               ///< of the host; its files are the guest's; empty: none
    bool readonly = false;            ///< the folder
};

struct BalloonConfig {
    u64 statistics_ns = 0; ///< how often the guest is asked how it is off for memory; 0: never
};

enum class AcceleratorKind : u8 { Auto, Jit, Interpreter, Kvm };

/// Which stages of which blocks to print.
struct TraceConfig {
    bool decode = false, ir = false, optimised = false, assembly = false, llvm = false;
    u64 first = 0, last = ~u64{0}; ///< guest virtual addresses
    [[nodiscard]] bool any() const { return decode || ir || optimised || assembly || llvm; }
};

/// The highest tier of translated code that runs.
enum class Tier : u8 {
    Auto,
    Baseline,   ///< no optimising compiler
    Optimising, ///< the optimising compiler for each block, at once: slow, for tests
};

/// The kinds of boards there are.
enum class BoardKind : u8 {
    Virt,    ///< for arm64 guests, compatible with QEMU's
    Microvm, ///< for x86-64 guests
};

/// What happens when the guest's watchdog has expired.
enum class WatchdogAction : u8 {
    Reset,
    Shutdown, ///< the power key
    PowerOff,
    None,
};
inline constexpr std::pair<std::string_view, WatchdogAction> kWatchdogActions[] = {
    {"reset", WatchdogAction::Reset},
    {"shutdown", WatchdogAction::Shutdown},
    {"poweroff", WatchdogAction::PowerOff},
    {"none", WatchdogAction::None}};

[[nodiscard]] constexpr std::string_view name_of(WatchdogAction action) {
    return name_in(kWatchdogActions, action);
}

/// What happens when the guest says that it has panicked.
enum class PanicAction : u8 {
    Pause,
    Shutdown,
    ExitFailure, ///< the same, and the program ends with a status of failure
    None,
};
inline constexpr std::pair<std::string_view, PanicAction> kPanicActions[] = {
    {"pause", PanicAction::Pause},
    {"shutdown", PanicAction::Shutdown},
    {"exit-failure", PanicAction::ExitFailure},
    {"none", PanicAction::None}};

[[nodiscard]] constexpr std::string_view name_of(PanicAction action) {
    return name_in(kPanicActions, action);
}

/// Where T2's code is kept for later runs.
struct TranslationCacheConfig {
    std::string directory; ///< empty: none
    u64 max_bytes = u64{256} << 20;
};

struct MachineConfig {
    std::string kernel, initrd, dtb, bios, nvram; ///< paths; empty: none
    std::string append;                           ///< kernel command line
    std::vector<DiskConfig> disks;
    unsigned cpus = 2;
    u64 memory = 1u << 30;
    std::string cpu_model = "max";
    bool architected_pauth = false; ///< QARMA5 instead of the fast hash, where there is PAuth
    BoardKind board = BoardKind::Virt;
    AcceleratorKind accelerator = AcceleratorKind::Auto;
    std::string accelerator_line; ///< which was picked and why, for people; empty: nothing to say
    Tier tier = Tier::Auto;
    TranslationCacheConfig translation_cache;
    unsigned gic_version = 3;
    bool acpi = true; ///< firmware gets ACPI tables, and with them passes on no device tree
    std::optional<WatchdogAction> watchdog; ///< without it there is none
    std::optional<PanicAction> on_panic;    ///< without it the guest has nobody to tell
    SerialConfig serial;                    ///< of the UART
    std::optional<SerialConfig> console;    ///< of a virtio console; without it there is none
    std::vector<PortConfig> ports;          ///< beside it
    std::optional<VsockConfig> vsock;
    std::optional<SemihostingConfig> semihosting;
    std::vector<devices::DisplayMode> screens; ///< of the graphics card; without any there is none
    std::vector<devices::InputKind> inputs;    ///< keyboards and what else hands move
    /// What is around the machine when it starts; without it there are no sensors.
    std::optional<devices::QuantityValues> sensors;
    std::optional<SoundConfig> sound;      ///< without it there is no sound device
    DisplayConfig display;                 ///< how people see the screens
    std::optional<BalloonConfig> balloon;  ///< without it there is none
    VirtioBus virtio_bus = VirtioBus::Pci; ///< of all virtio devices but disks
    NetConfig net = {};
    std::vector<ShareConfig> shares;
    std::vector<NetdevConfig> netdevs; ///< of the devices in root ports
    std::vector<PluggedDevice> plugged;
    std::string restore;  ///< a snapshot to start from in place of a boot; empty: none
    std::string incoming; ///< the process that it comes from, in place of a boot; empty: none
    bool reboot_allowed = true;
    u64 timeout_ns = 0; ///< of host time; 0: none
    bool statistics = false;
    bool perf_map = false;            ///< tell Linux perf of translated code
    std::vector<std::string> symbols; ///< files that name guest code there, and in a profile
    std::optional<ProfileConfig> profile;
    std::string name;              ///< of the machine, for whoever controls it
    std::string control;           ///< path of the control socket; empty: none
    std::string snapshots = ".";   ///< folder of those the control socket makes
    std::optional<GdbAddress> gdb; ///< where a debugger is served
    bool starts_stopped = false;   ///< until somebody has it go on
    TraceConfig trace;
    std::optional<DeterministicConfig> deterministic; ///< else CPUs and time are the host's

    [[nodiscard]] bool is_replay() const {
        return deterministic.has_value() && !deterministic->replay.empty();
    }
    /// Lines, networks and sockets lead to the host: at once, or once a replay goes live.
    [[nodiscard]] bool meets_host() const { return !is_replay() || deterministic->goes_live; }
    /// Disks and flash files stay as they are: a replay starts from them.
    [[nodiscard]] bool leaves_files_alone() const {
        return is_replay() || (deterministic.has_value() && !deterministic->record.empty());
    }
};

inline constexpr unsigned kMaxCpus = 64;
inline constexpr unsigned kMaxGicV2Cpus = 8;
inline constexpr u64 kMaxMemory = u64{255} << 30; ///< what fits below the high peripherals
inline constexpr u64 kMinMemory = 16u << 20;

} // namespace tandem::machine
