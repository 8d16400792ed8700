#pragma once
/// Doorbells of devices that KVM turns into eventfds, and the thread that answers them in place of
/// the CPU that rang.
#include "devices/core/mmio_device.h"
#include "machine/accel/kvm/kvm_vm.h"

#include <thread>
#include <vector>

namespace tandem::machine {

class Doorbells {
public:
    [[nodiscard]] static Result<std::unique_ptr<Doorbells>> create(KvmVm &);
    /// Nobody is called any more.
    ~Doorbells();
    Doorbells(const Doorbells &) = delete;
    Doorbells &operator=(const Doorbells &) = delete;

    /// Before start(). A store of `value` at `offset` of the device, which is at `base`, is made by
    /// the thread. The device outlives this.
    [[nodiscard]] Result<> add(devices::MmioDevice &device, u64 base, u32 offset, u32 value);
    void start();

private:
    struct Bell {
        ScopedFd event;
        devices::MmioDevice *device;
        u32 offset, value;
    };

    Doorbells(KvmVm &vm, ScopedFd poll, ScopedFd stop)
        : vm_(vm), poll_(std::move(poll)), stop_(std::move(stop)) {}
    void run();

    KvmVm &vm_;
    ScopedFd poll_, stop_;
    std::vector<std::unique_ptr<Bell>> bells_;
    std::thread thread_; ///< last: uses everything above
};

} // namespace tandem::machine
