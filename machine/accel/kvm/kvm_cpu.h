#pragma once
/// A vCPU of KVM. Between two exits the kernel has it; its exits are served on its own thread.
#include "machine/accel/accelerator.h"
#include "machine/accel/kvm/kvm_vm.h"
#include "machine/accel/kvm/kvm_wiring.h"

#include <array>
#include <atomic>
#include <mutex>

#include <pthread.h>

struct kvm_run;

namespace tandem::machine {

class KvmCpu final : public AcceleratedCpu {
public:
    [[nodiscard]] static Result<std::unique_ptr<KvmCpu>> create(KvmVm &, const KvmWiring &,
                                                                u32 index);
    ~KvmCpu() override;
    KvmCpu(const KvmCpu &) = delete;
    KvmCpu &operator=(const KvmCpu &) = delete;

    /// CPU 0 starts as machine/accel/kvm/x86/start_state.h says; others wait for it to call them
    /// (INIT and SIPI of their local APIC, which is the kernel's).
    void start(const CpuStart &) override;
    void run() override;
    void leave() override;
    // The interrupt controller is the kernel's.
    void set_interrupt_lines(bool, bool) override {}
    void signal_event() override {}
    void save(devices::StateWriter &) const override;
    [[nodiscard]] Result<> restore(devices::StateReader &) override;

    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Exits to this program by reason (KVM_EXIT_*).
    static constexpr u32 kReasons = 64;
    [[nodiscard]] u64 exits(u32 reason) const { return exits_[reason]; }

private:
    KvmCpu(const KvmWiring &wiring, u32 index, ScopedFd fd, kvm_run *run, u64 run_size)
        : wiring_(wiring), index_(index), fd_(std::move(fd)), run_(run), run_size_(run_size) {}

    void kick();
    void serve_exit();
    void serve_ports();
    void serve_memory();
    void fail(std::string_view what);

    const KvmWiring &wiring_;
    const u32 index_;
    ScopedFd fd_;
    kvm_run *run_;
    u64 run_size_;
    std::array<std::atomic<u64>, kReasons> exits_{};
    std::atomic<bool> is_leaving_ = false;
    std::mutex mutex_; ///< guards what follows
    bool is_inside_ = false;
    pthread_t thread_{}; ///< while inside run()
};

} // namespace tandem::machine
