#pragma once
/// The board for x86-64 guests, whose CPUs KVM executes: nothing but what a Linux guest needs.
/// Interrupt controllers, PIT and clock are the kernel's; a serial port, virtio over MMIO and a
/// power key are here. microvm/memory_map.h says where.
#include "devices/power/platform_events.h"
#include "devices/virtio/transport/virtio_mmio.h"
#include "machine/accel/kvm/doorbells.h"
#include "machine/accel/kvm/kvm_accelerator.h"
#include "machine/accel/kvm/progress_watch.h"
#include "machine/board/board.h"
#include "machine/board/virtio_parts.h"
#include "machine/host/clock.h"

#include <atomic>
#include <mutex>

namespace tandem::machine {

class MicrovmBoard final : public Board, private KvmEvents {
public:
    [[nodiscard]] static Result<std::unique_ptr<MicrovmBoard>> create(const MachineConfig &,
                                                                      const HostBackends &);
    ~MicrovmBoard() override;

    [[nodiscard]] Result<> prepare() override;
    [[nodiscard]] Result<StopReason> run() override;
    [[nodiscard]] bool is_running() const override { return is_running_; }
    void stop(StopReason reason) override { cpus_.stop(reason); }
    [[nodiscard]] bool is_stopping() const override { return cpus_.is_stopping(); }

    void pause() override;
    void resume(GuestClock = GuestClock::Runs) override;
    void end_hold() override { cpus_.end_hold(); }

    [[nodiscard]] GuestMemory &ram() override { return *ram_; }
    [[nodiscard]] std::vector<int> cpu_threads() const override;
    [[nodiscard]] std::vector<PhysicalMap::Placed> layout() const override { return map_.layout(); }
    [[nodiscard]] std::string statistics_report() const override;

    void press_power_key() override { events_->press_power_key(); }
    [[nodiscard]] std::optional<BalloonInfo> balloon() override { return virtio_->balloon(); }
    void set_balloon(u64 bytes) override { virtio_->set_balloon(bytes); }
    void set_screen(u32 output, const devices::DisplayMode &mode) override {
        virtio_->set_screen(output, mode);
    }
    [[nodiscard]] std::optional<LinkConfig> link() const override { return virtio_->link(); }
    void set_link(const LinkConfig &link) override { virtio_->set_link(link); }

    [[nodiscard]] bool is_cpu_on(u32 cpu) const override;
    [[nodiscard]] std::size_t read_memory(u64 physical, std::span<std::byte> out) override {
        return map_.read_some(physical, out);
    }
    [[nodiscard]] std::size_t write_memory(u64 physical, std::span<const std::byte> in) override {
        return map_.write_some(physical, in);
    }
    [[nodiscard]] bool read_device(u64 physical, unsigned size_log2, u64 &value) override {
        return map_.read(physical, size_log2, value);
    }

private:
    MicrovmBoard(const MachineConfig &, const HostBackends &, std::unique_ptr<KvmHost>,
                 std::unique_ptr<KvmVm>, std::unique_ptr<GuestMemory>);
    [[nodiscard]] Result<> build();
    [[nodiscard]] Result<> add_virtio();
    [[nodiscard]] devices::IrqLine line(u32 number) { return {*vm_, number}; }
    [[nodiscard]] Result<CpuStart> load();
    [[nodiscard]] std::string command_line() const;
    void cpu_shut_down() override;
    void cpu_failed(Error) override;
    template <typename Action>
    void for_each_device(Action);

    const MachineConfig &config_;
    HostBackends backends_;
    std::unique_ptr<KvmHost> host_;
    std::unique_ptr<KvmVm> vm_;
    std::unique_ptr<GuestMemory> ram_;
    HostClock clock_;
    PhysicalMap map_;
    PortMap ports_;
    CpuSet cpus_;
    std::unique_ptr<KvmAccelerator> accelerator_;
    std::unique_ptr<ProgressWatch> progress_;
    std::unique_ptr<VirtioParts> virtio_;
    std::unique_ptr<devices::ByteDevice> uart_;
    std::unique_ptr<devices::PlatformEvents> events_;
    std::vector<std::unique_ptr<devices::VirtioMmio>> slots_;
    std::unique_ptr<Doorbells> doorbells_;
    bool is_prepared_ = false;
    std::atomic<bool> is_running_ = false;
    std::mutex hold_mutex_;
    u32 holds_ = 0; ///< guarded by hold_mutex_
    std::mutex failure_mutex_;
    std::optional<Error> failure_; ///< the first of a CPU; guarded by failure_mutex_
};

} // namespace tandem::machine
