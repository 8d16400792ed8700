#pragma once
/// The `virt`-compatible board for arm64 guests, whose CPUs the JIT executes.
#include "devices/core/mmio_device.h"
#include "machine/board/board.h"
#include "machine/board/interrupt_controller.h"
#include "machine/board/virtio_parts.h"
#include "machine/boot/fdt_tree.h"
#include "machine/cpu/psci.h"
#include "machine/host/clock.h"
#include "machine/memory/page_sum.h"
#include "machine/memory/written_pages.h"
#include "machine/semihosting/semihosting.h"

#include <atomic>
#include <mutex>

namespace tandem::devices {
class FwCfg;
class PcieHostBridge;
class PowerKey;
class SensorSet;
} // namespace tandem::devices

namespace tandem::machine {

class VirtBoard final : public Board {
public:
    [[nodiscard]] static Result<std::unique_ptr<VirtBoard>> create(const MachineConfig &,
                                                                   const HostBackends &);
    ~VirtBoard() override;

    [[nodiscard]] Result<> prepare() override;
    [[nodiscard]] Result<StopReason> run() override;
    [[nodiscard]] bool is_running() const override { return is_running_; }
    void stop(StopReason reason) override { cpus_.stop(reason); }
    [[nodiscard]] bool is_stopping() const override { return cpus_.is_stopping(); }

    void pause() override;
    void resume(GuestClock = GuestClock::Runs) override;
    void end_hold() override { cpus_.end_hold(); }
    [[nodiscard]] u64 device_hash() override;
    [[nodiscard]] u64 state_hash() override;
    [[nodiscard]] u64 ram_hash() override;

    void start_tracking() override;
    void stop_tracking() override;
    void collect_written(std::span<u64> pages) override;
    [[nodiscard]] GuestMemory &ram() override { return *ram_; }
    void hold_cpus() override { cpus_.pause(); }
    void let_cpus_go() override { cpus_.resume(); }

    [[nodiscard]] bool can_be_saved() const override { return true; }
    [[nodiscard]] Result<> save(snapshot::Writer &) override;
    [[nodiscard]] Result<> restore(const std::shared_ptr<snapshot::SnapshotFile> &,
                                   std::function<void(Error)> on_damage) override;
    void save_devices(const VisitState &) override;
    [[nodiscard]] Result<> restore_devices(std::size_t count, const FindState &) override;

    // virt_board_checkpoint.cpp
    void save_exactly(devices::StateWriter &) override;
    [[nodiscard]] Result<> restore_exactly(devices::StateReader &) override;
    void forget_memory() override { accelerator_->map_changed(); }
    void set_ram_page(u64 page, const std::byte *bytes) override;
    void set_flash_page(unsigned bank, u64 page, const std::byte *bytes) override;
    void forget_stop() override { cpus_.forget_stop(); }

    [[nodiscard]] std::vector<int> cpu_threads() const override;

    // virt_board_debug.cpp
    [[nodiscard]] AcceleratorDebug *debug() override { return accelerator_->debug(); }
    void on_cpu_stop(StopQuestion passes, StopQuestion told) override;
    void announce_stop(u32 cpu, const CpuStop &) override;
    [[nodiscard]] bool is_cpu_on(u32 cpu) const override;
    [[nodiscard]] std::size_t read_memory(u64 physical, std::span<std::byte> out) override {
        return map_.read_some(physical, out);
    }
    [[nodiscard]] std::size_t write_memory(u64 physical, std::span<const std::byte> in) override {
        return map_.write_some(physical, in);
    }
    [[nodiscard]] bool read_device(u64 physical, unsigned size_log2, u64 &value) override;
    [[nodiscard]] std::vector<PhysicalMap::Placed> layout() const override { return map_.layout(); }

    void press_power_key() override;
    [[nodiscard]] std::optional<BalloonInfo> balloon() override { return virtio_->balloon(); }
    void set_balloon(u64 bytes) override { virtio_->set_balloon(bytes); }
    [[nodiscard]] std::optional<devices::QuantityValues> sensors() const override;
    void set_sensor(devices::Quantity, const devices::QuantityValue &) override;
    void set_screen(u32 output, const devices::DisplayMode &mode) override {
        virtio_->set_screen(output, mode);
    }
    [[nodiscard]] std::optional<LinkConfig> link() const override { return virtio_->link(); }
    void set_link(const LinkConfig &link) override { virtio_->set_link(link); }

    // virt_board_ports.cpp
    [[nodiscard]] bool has_root_ports() const override { return true; }
    void plug(const PluggedDevice &, const PluggedBackend &) override;
    void unplug(unsigned port) override;
    [[nodiscard]] devices::RootPort::Button press_port_button(unsigned port) override;
    [[nodiscard]] bool is_port_released(unsigned port) const override;
    [[nodiscard]] std::vector<devices::PciFunctionView> pci_functions() const override;

    [[nodiscard]] std::string statistics_report() const override;
    /// The board's own device tree, as the guest gets it but for /chosen and boot arguments.
    [[nodiscard]] Result<std::vector<std::byte>> device_tree() const;

private:
    /// RNDR and the boot seeds, from the host's entropy.
    class RandomNumbers;
    class StopRelay;

    VirtBoard(const MachineConfig &, const HostBackends &, std::unique_ptr<GuestMemory>);
    Result<> build();
    void add_device(u64 base, u32 spi, std::unique_ptr<devices::MmioDevice>);
    [[nodiscard]] devices::IrqLine line(u32 spi) { return {interrupts_->spis(), spi}; }
    void add_flash();
    void add_sensors();
    void watchdog_expired();
    void guest_panicked(devices::GuestPanic);
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
    std::unique_ptr<devices::SensorSet> sensors_; ///< null: there are none
    std::vector<PlacedDevice> devices_;
    std::unique_ptr<devices::PowerKey> power_key_;
    std::unique_ptr<devices::PcieHostBridge> pcie_;
    devices::FwCfg *fw_cfg_ = nullptr;
    std::unique_ptr<VirtioParts> virtio_;
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
