#pragma once
/// A board as the machine sees it: RAM, CPUs, interrupt controller and devices, wired together. A
/// reset of the machine is a new board on the same host back ends. There is the `virt`-compatible
/// one (virt_board.h), and a lean one for x86-64 guests (microvm/microvm_board.h).
#include "devices/backend/block.h"
#include "devices/backend/char.h"
#include "devices/backend/display.h"
#include "devices/backend/entropy.h"
#include "devices/backend/file_system.h"
#include "devices/backend/flash_storage.h"
#include "devices/backend/input.h"
#include "devices/backend/net.h"
#include "devices/backend/sound.h"
#include "devices/backend/vsock.h"
#include "devices/panic/pv_panic.h"
#include "devices/pcie/root_port.h"
#include "machine/accel/accelerator.h"
#include "machine/board/balloon_info.h"
#include "machine/board/machine_config.h"
#include "machine/cpu/cpu_set.h"
#include "machine/memory/guest_memory.h"
#include "machine/memory/physical_map.h"
#include "machine/profile/profiler.h"
#include "machine/snapshot/page_loader.h"
#include "machine/snapshot/writer.h"

#include <array>
#include <functional>
#include <memory>
#include <vector>

namespace tandem::machine {

/// What connects a board to the host. Outlives the board.
struct HostBackends {
    devices::Char *serial = nullptr;
    devices::Char *console = nullptr;     ///< of the virtio console; null: there is none
    devices::Char *semihosting = nullptr; ///< its own line; null: it has none
    std::vector<devices::Char *> ports;   ///< as MachineConfig::ports has them
    std::vector<devices::Block *> disks;  ///< as MachineConfig::disks has them
    std::array<devices::FlashStorage *, 2> flash{};
    devices::Net *net = nullptr;               ///< null: no network card
    std::vector<devices::Net *> netdevs;       ///< as MachineConfig::netdevs has them
    devices::Vsock *vsock = nullptr;           ///< null: no sockets to the host
    devices::Display *display = nullptr;       ///< null: no graphics card
    devices::Sound *sound = nullptr;           ///< null: no sound device
    std::vector<devices::Input *> inputs;      ///< as MachineConfig::inputs has them
    std::vector<devices::FileSystem *> shares; ///< as MachineConfig::shares has them
    devices::Entropy *entropy = nullptr;
    /// Told on a CPU's thread, with a device's mutex held.
    std::function<void(std::string_view port, bool is_open)> port_changed;
    std::function<void(u64 actual)> balloon_changed; ///< likewise
    std::function<void()> watchdog_expired; ///< told on a thread of the clock's, before it acts
    std::function<void(devices::GuestPanic)> guest_panicked; ///< likewise
    /// Told on a CPU's thread: the guest's program ends the machine, with this status.
    std::function<void(u8 status)> guest_exited;
    /// Told on a CPU's thread what the guest does with the slot of a root port.
    std::function<void(u32 port, devices::SlotAnswer)> slot_answered;
    // Of a deterministic machine; null: the CPUs have threads, and guest time is the host's.
    devices::Clock *clock = nullptr;
    CpuSequencer *sequencer = nullptr;
    profile::Profiler *profiler = nullptr; ///< null: nobody profiles
};

class Board {
public:
    virtual ~Board() = default;
    Board(const Board &) = delete;
    Board &operator=(const Board &) = delete;

    /// Loads the boot files, unless the board was restored: the CPUs stand at their first
    /// instructions.
    [[nodiscard]] virtual Result<> prepare() = 0;
    /// Prepares the board if need be, and runs until stop(), power-off or reset.
    [[nodiscard]] virtual Result<StopReason> run() = 0;
    /// The guest executes, or was restored: the board may be paused and saved.
    [[nodiscard]] virtual bool is_running() const = 0;
    /// Any thread.
    virtual void stop(StopReason reason) = 0;
    [[nodiscard]] virtual bool is_stopping() const = 0;

    /// Any thread. Between the two no CPU executes, no request is under way, guest time stands
    /// still and nothing changes RAM or devices. The board goes on after as many calls of resume().
    virtual void pause() = 0;
    virtual void resume(GuestClock = GuestClock::Runs) = 0;
    /// A CPU's stop that a debugger was told holds all of them until then.
    virtual void end_hold() = 0;

    [[nodiscard]] virtual GuestMemory &ram() = 0;
    /// The host thread of each CPU; 0 while it has none.
    [[nodiscard]] virtual std::vector<int> cpu_threads() const = 0;
    [[nodiscard]] virtual std::vector<PhysicalMap::Placed> layout() const = 0;
    [[nodiscard]] virtual std::string statistics_report() const = 0;

    /// Any thread: asks the guest to shut down.
    virtual void press_power_key() = 0;
    /// Nothing: there is no balloon.
    [[nodiscard]] virtual std::optional<BalloonInfo> balloon() = 0;
    /// Asks the guest to keep so many bytes.
    virtual void set_balloon(u64 bytes) = 0;
    /// Any thread: what sensors measure; nothing: there are none.
    [[nodiscard]] virtual std::optional<devices::QuantityValues> sensors() const { return {}; }
    virtual void set_sensor(devices::Quantity, const devices::QuantityValue &) {}
    /// Any thread: a screen has become another, if there is one of that number.
    virtual void set_screen(u32 output, const devices::DisplayMode &) = 0;
    /// Of the network card; nothing: there is none.
    [[nodiscard]] virtual std::optional<LinkConfig> link() const = 0;
    virtual void set_link(const LinkConfig &) = 0;

    // What follows a board need not have: without it, it fails or says that there is nothing, and
    // check_config() has refused what would need the rest of it (board.cpp).

    // Between pauses, by any one thread that runs no CPU: which pages of RAM are written.

    /// From now on the pages of RAM that are written are noticed, at the cost of a slow store for
    /// each.
    virtual void start_tracking();
    virtual void stop_tracking();
    /// Adds the pages written since the last call, or since start_tracking(), to a bitmap of
    /// DirtyLog::word_count() words. Read what they hold after it: a page that is written later is
    /// noticed again.
    virtual void collect_written(std::span<u64> pages);
    /// Between the two no CPU executes; guest time and devices go on.
    virtual void hold_cpus();
    virtual void let_cpus_go();

    /// What follows, and start_tracking(), can be used.
    [[nodiscard]] virtual bool can_be_saved() const { return false; }
    /// While paused: RAM, flash, and the state of everything. What is written to RAM after that is
    /// noticed, so that the next one of a board's snapshots looks at nothing else, if it is based
    /// on this one.
    [[nodiscard]] virtual Result<> save(snapshot::Writer &);
    /// Before run(). RAM is loaded as it is needed; its frames have been read. on_damage may be
    /// called while the board runs.
    [[nodiscard]] virtual Result<> restore(const std::shared_ptr<snapshot::SnapshotFile> &,
                                           std::function<void(Error)> on_damage);

    // The state of everything but RAM and flash, by name.
    using VisitState = std::function<void(const std::string &name, std::span<const std::byte>)>;
    using FindState = std::function<Result<std::span<const std::byte>>(const std::string &name)>;
    /// While paused.
    virtual void save_devices(const VisitState &);
    /// Before run(), in place of a boot; RAM and flash are there already. How many there are to be
    /// is checked first.
    [[nodiscard]] virtual Result<> restore_devices(std::size_t count, const FindState &);

    // Of a deterministic machine, while no CPU executes and no request is under way.

    /// A hash of the state of CPUs and devices.
    [[nodiscard]] virtual u64 device_hash();
    /// That of memory with it.
    [[nodiscard]] virtual u64 state_hash();
    /// A hash of RAM. The first one looks at all of it, those that follow at what was written.
    [[nodiscard]] virtual u64 ram_hash();
    /// The state of everything but memory, as exact as it takes to go on the same way.
    virtual void save_exactly(devices::StateWriter &);
    [[nodiscard]] virtual Result<> restore_exactly(devices::StateReader &);
    /// Whatever CPUs have found out about memory may be wrong now.
    virtual void forget_memory();
    /// Replaces a page; null: by zeros.
    virtual void set_ram_page(u64 page, const std::byte *bytes);
    virtual void set_flash_page(unsigned bank, u64 page, const std::byte *bytes);
    /// On the machine's thread: what stopped the board did not happen.
    virtual void forget_stop();

    // While paused or not running yet, for a debugger.

    /// Null if the accelerator cannot be debugged.
    [[nodiscard]] virtual AcceleratorDebug *debug() { return nullptr; }
    /// Asked on the CPU's thread when a CPU is about to stop: whether it `passes`, then whether
    /// somebody was `told`; all others are on their way to a stop then.
    using StopQuestion = std::function<bool(u32 cpu, const CpuStop &)>;
    virtual void on_cpu_stop(StopQuestion passes, StopQuestion told);
    /// On the thread of a CPU between two instructions: the machine stops as if that CPU had.
    virtual void announce_stop(u32 cpu, const CpuStop &);
    [[nodiscard]] virtual bool is_cpu_on(u32 cpu) const = 0;
    /// RAM and ROM by physical address: how many bytes, up to the first that is neither.
    [[nodiscard]] virtual std::size_t read_memory(u64 physical, std::span<std::byte> out) = 0;
    /// RAM; likewise.
    [[nodiscard]] virtual std::size_t write_memory(u64 physical, std::span<const std::byte> in) = 0;
    /// One access to a device, with all that comes of it; false: none is there, or it refuses.
    [[nodiscard]] virtual bool read_device(u64 physical, unsigned size_log2, u64 &value) = 0;

    // Root ports; one thread at a time.

    /// What a device is connected to, as its kind wants it.
    struct PluggedBackend {
        devices::Block *disk = nullptr;
        devices::Net *net = nullptr;
    };
    /// Devices can come and go.
    [[nodiscard]] virtual bool has_root_ports() const { return false; }
    /// While paused: the guest finds the device when it goes on. The port is free.
    virtual void plug(const PluggedDevice &, const PluggedBackend &);
    /// While paused: takes the device out, whatever the guest does with it. Its back end is free.
    virtual void unplug(unsigned port);
    /// Asks the guest to let go of the device.
    [[nodiscard]] virtual devices::RootPort::Button press_port_button(unsigned port);
    [[nodiscard]] virtual bool is_port_released(unsigned port) const;
    [[nodiscard]] virtual std::vector<devices::PciFunctionView> pci_functions() const;

protected:
    Board() = default;
};

} // namespace tandem::machine
