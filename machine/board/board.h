#pragma once
/// The `virt`-compatible board: RAM, CPUs, interrupt controller and devices, wired together. A
/// reset of the machine is a new board on the same host back ends.
#include "devices/backend/block.h"
#include "devices/backend/char.h"
#include "devices/backend/display.h"
#include "devices/backend/entropy.h"
#include "devices/backend/file_system.h"
#include "devices/backend/flash_storage.h"
#include "devices/backend/input.h"
#include "devices/backend/net.h"
#include "devices/backend/vsock.h"
#include "devices/core/mmio_device.h"
#include "devices/panic/pv_panic.h"
#include "devices/pcie/root_port.h"
#include "machine/accel/accelerator.h"
#include "machine/board/balloon_info.h"
#include "machine/board/interrupt_controller.h"
#include "machine/board/machine_config.h"
#include "machine/boot/fdt_tree.h"
#include "machine/cpu/cpu_set.h"
#include "machine/cpu/psci.h"
#include "machine/host/clock.h"
#include "machine/memory/guest_memory.h"
#include "machine/memory/page_sum.h"
#include "machine/memory/physical_map.h"
#include "machine/memory/written_pages.h"
#include "machine/profile/profiler.h"
#include "machine/semihosting/semihosting.h"
#include "machine/snapshot/page_loader.h"
#include "machine/snapshot/writer.h"

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace tandem::devices {
class FwCfg;
class PcieHostBridge;
class PowerKey;
class VirtioBalloon;
class VirtioDevice;
class VirtioGpu;
} // namespace tandem::devices

namespace tandem::machine {

class ShapedNet;

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
    [[nodiscard]] static Result<std::unique_ptr<Board>> create(const MachineConfig &,
                                                               const HostBackends &);
    ~Board();
    Board(const Board &) = delete;
    Board &operator=(const Board &) = delete;

    /// Loads the boot files, unless the board was restored: the CPUs stand at their first
    /// instructions.
    [[nodiscard]] Result<> prepare();
    /// Prepares the board if need be, and runs until stop(), power-off or reset.
    [[nodiscard]] Result<StopReason> run();
    /// The guest executes, or was restored: the board may be paused and saved.
    [[nodiscard]] bool is_running() const { return is_running_; }
    /// Any thread.
    void stop(StopReason reason) { cpus_.stop(reason); }
    [[nodiscard]] bool is_stopping() const { return cpus_.is_stopping(); }

    /// Any thread. Between the two no CPU executes, no request is under way, guest time stands
    /// still and nothing changes RAM or devices. The board goes on after as many calls of resume().
    void pause();
    void resume(GuestClock = GuestClock::Runs);
    /// A CPU's stop that a debugger was told holds all of them until then.
    void end_hold() { cpus_.end_hold(); }
    // While no CPU executes.
    /// A hash of the state of CPUs and devices.
    [[nodiscard]] u64 device_hash();
    /// That of memory with it.
    [[nodiscard]] u64 state_hash();
    /// A hash of RAM. The first one looks at all of it, those that follow at what was written.
    [[nodiscard]] u64 ram_hash();

    // What follows: any one thread that runs no CPU, while the board runs or stands still.

    /// From now on the pages of RAM that are written are noticed, at the cost of a slow store for
    /// each.
    void start_tracking();
    void stop_tracking();
    /// Adds the pages written since the last call, or since start_tracking(), to a bitmap of
    /// DirtyLog::word_count() words. Read what they hold after it: a page that is written later is
    /// noticed again.
    void collect_written(std::span<u64> pages);
    [[nodiscard]] GuestMemory &ram() { return *ram_; }
    /// Between the two no CPU executes; guest time and devices go on.
    void hold_cpus() { cpus_.pause(); }
    void let_cpus_go() { cpus_.resume(); }

    /// While paused: RAM, flash, and the state of everything. What is written to RAM after that is
    /// noticed, so that the next one of a board's snapshots looks at nothing else, if it is based
    /// on this one.
    [[nodiscard]] Result<> save(snapshot::Writer &);
    /// Before run(). RAM is loaded as it is needed; its frames have been read. on_damage may be
    /// called while the board runs.
    [[nodiscard]] Result<> restore(const std::shared_ptr<snapshot::SnapshotFile> &,
                                   std::function<void(Error)> on_damage);

    // The state of everything but RAM and flash, by name.
    using VisitState = std::function<void(const std::string &name, std::span<const std::byte>)>;
    using FindState = std::function<Result<std::span<const std::byte>>(const std::string &name)>;
    /// While paused.
    void save_devices(const VisitState &);
    /// Before run(), in place of a boot; RAM and flash are there already. How many there are to be
    /// is checked first.
    [[nodiscard]] Result<> restore_devices(std::size_t count, const FindState &);

    // Of a deterministic machine, while no CPU executes and no request is under way
    // (board_checkpoint.cpp).

    /// The state of everything but memory, as exact as it takes to go on the same way.
    void save_exactly(devices::StateWriter &);
    [[nodiscard]] Result<> restore_exactly(devices::StateReader &);
    /// Whatever CPUs have found out about memory may be wrong now.
    void forget_memory() { accelerator_->map_changed(); }
    /// Replaces a page; null: by zeros.
    void set_ram_page(u64 page, const std::byte *bytes);
    void set_flash_page(unsigned bank, u64 page, const std::byte *bytes);
    /// On the machine's thread: what stopped the board did not happen.
    void forget_stop() { cpus_.forget_stop(); }

    /// The host thread of each CPU; 0 while it has none.
    [[nodiscard]] std::vector<int> cpu_threads() const;

    // While paused or not running yet, for a debugger (board_debug.cpp).

    /// Null if the accelerator cannot be debugged.
    [[nodiscard]] AcceleratorDebug *debug() { return accelerator_->debug(); }
    /// Asked on the CPU's thread when a CPU is about to stop: whether it `passes`, then whether
    /// somebody was `told`; all others are on their way to a stop then.
    using StopQuestion = std::function<bool(u32 cpu, const CpuStop &)>;
    void on_cpu_stop(StopQuestion passes, StopQuestion told);
    /// On the thread of a CPU between two instructions: the machine stops as if that CPU had.
    void announce_stop(u32 cpu, const CpuStop &);
    [[nodiscard]] bool is_cpu_on(u32 cpu) const;
    /// RAM and ROM by physical address: how many bytes, up to the first that is neither.
    [[nodiscard]] std::size_t read_memory(u64 physical, std::span<std::byte> out);
    /// RAM; likewise.
    [[nodiscard]] std::size_t write_memory(u64 physical, std::span<const std::byte> in);
    /// One access to a device, with all that comes of it; false: none is there, or it refuses.
    [[nodiscard]] bool read_device(u64 physical, unsigned size_log2, u64 &value);
    [[nodiscard]] std::vector<PhysicalMap::Placed> layout() const { return map_.layout(); }

    /// Any thread: asks the guest to shut down.
    void press_power_key();
    /// Nothing: there is no balloon.
    [[nodiscard]] std::optional<BalloonInfo> balloon();
    /// Asks the guest to keep so many bytes.
    void set_balloon(u64 bytes);
    /// Any thread: a screen has become another, if there is one of that number.
    void set_screen(u32 output, const devices::DisplayMode &);
    /// Of the network card; nothing: there is none.
    [[nodiscard]] std::optional<LinkConfig> link() const;
    void set_link(const LinkConfig &);

    // Root ports (board_ports.cpp); one thread at a time.

    /// What a device is connected to, as its kind wants it.
    struct PluggedBackend {
        devices::Block *disk = nullptr;
        devices::Net *net = nullptr;
    };
    /// While paused: the guest finds the device when it goes on. The port is free.
    void plug(const PluggedDevice &, const PluggedBackend &);
    /// While paused: takes the device out, whatever the guest does with it. Its back end is free.
    void unplug(unsigned port);
    /// Asks the guest to let go of the device.
    [[nodiscard]] devices::RootPort::Button press_port_button(unsigned port);
    [[nodiscard]] bool is_port_released(unsigned port) const;
    [[nodiscard]] std::vector<devices::PciFunctionView> pci_functions() const;

    [[nodiscard]] std::string statistics_report() const;
    /// The board's own device tree, as the guest gets it but for /chosen and boot arguments.
    [[nodiscard]] Result<std::vector<std::byte>> device_tree() const;

private:
    /// RNDR and the boot seeds, from the host's entropy.
    class RandomNumbers;
    class StopRelay;

    Board(const MachineConfig &, const HostBackends &, std::unique_ptr<GuestMemory>);
    Result<> build();
    void add_device(u64 base, u32 spi, std::unique_ptr<devices::MmioDevice>);
    [[nodiscard]] devices::IrqLine line(u32 spi) { return {interrupts_->spis(), spi}; }
    void add_flash();
    void watchdog_expired();
    void guest_panicked(devices::GuestPanic);
    [[nodiscard]] u64 left_by_balloon(u64 pages) const;
    void add_pcie();
    void add_virtio();
    void add_plugged();
    [[nodiscard]] Result<> add_semihosting();
    [[nodiscard]] std::unique_ptr<devices::PciFunction> make_plugged(const PluggedDevice &,
                                                                     const PluggedBackend &);
    Result<> add_accelerator();
    void describe(FdtTree &) const;
    void describe_cpus(FdtTreeNode &root) const;
    /// ACPI and SMBIOS, for firmware to pass on.
    void offer_firmware_tables();
    Result<CpuStart> load();
    /// Guest time and devices stand still from the first hold() to the last release(): a board may
    /// be paused before it runs, and one that was restored holds itself until then.
    void hold();
    void release(GuestClock);

    /// What is saved under a name, in the order in which it can be restored.
    struct Part {
        std::string name;
        std::function<void(devices::StateWriter &)> save;
        std::function<Result<>(devices::StateReader &)> restore;
    };
    [[nodiscard]] std::vector<Part> parts();
    [[nodiscard]] std::vector<Part> exact_parts();
    template <typename Action>
    void for_each_device(Action);
    Result<> restore_flash(const snapshot::SnapshotFile &);
    /// The pages written since the last call; empty: it was not known until now.
    [[nodiscard]] std::vector<u64> take_unsaved();
    /// The same for a reader that has been started.
    [[nodiscard]] std::vector<u64> take_written(WrittenPages::Reader);
    void start_reader(WrittenPages::Reader);

    struct PlacedDevice {
        u64 base;
        u32 spi;
        std::unique_ptr<devices::MmioDevice> device;
    };

    const MachineConfig &config_;
    HostBackends backends_;
    std::unique_ptr<HostClock> host_clock_; ///< of a machine that is not deterministic
    devices::Clock &clock_;
    std::unique_ptr<GuestMemory> ram_;
    WrittenPages written_;
    PhysicalMap map_;
    std::vector<u64> affinities_;
    CpuSet cpus_;
    Psci psci_;
    std::unique_ptr<Semihosting> semihosting_; ///< null: there is none
    std::unique_ptr<RandomNumbers> random_;
    std::unique_ptr<InterruptController> interrupts_;
    std::vector<PlacedDevice> devices_;
    std::unique_ptr<devices::PowerKey> power_key_;
    std::unique_ptr<devices::PcieHostBridge> pcie_;
    devices::FwCfg *fw_cfg_ = nullptr;
    devices::VirtioBalloon *balloon_ = nullptr; ///< null: there is none
    devices::VirtioGpu *gpu_ = nullptr;         ///< likewise
    std::unique_ptr<ShapedNet> link_;           ///< of the network card, if there is one
    std::unique_ptr<Accelerator> accelerator_;
    std::unique_ptr<snapshot::PageLoader> loader_; ///< of a board that was restored
    std::unique_ptr<StopRelay> stop_relay_;
    bool is_prepared_ = false;
    bool is_restored_ = false;
    std::optional<PageSum> ram_sum_; ///< once it has been asked for
    std::atomic<bool> is_running_ = false;
    std::mutex hold_mutex_;
    u32 holds_ = 0; ///< guarded by hold_mutex_
};

} // namespace tandem::machine
