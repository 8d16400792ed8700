#include "machine/accel/kvm/kvm_cpu.h"

#include "machine/accel/kvm/x86/start_state.h"
#include "support/check.h"

#include <fmt/format.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace tandem::machine {
namespace {

/// Ends KVM_RUN on the thread that gets it; nothing else.
int kick_signal() {
    return SIGRTMIN;
}

void install_kick_handler() {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    ::sigemptyset(&action.sa_mask);
    ::sigaction(kick_signal(), &action, nullptr); // without SA_RESTART
}

} // namespace

Result<std::unique_ptr<KvmCpu>> KvmCpu::create(KvmVm &vm, const KvmWiring &wiring, u32 index) {
    static const bool is_installed = (install_kick_handler(), true);
    static_cast<void>(is_installed);
    ScopedFd fd{::ioctl(vm.fd(), KVM_CREATE_VCPU, index)};
    if (!fd.is_open()) return kvm_failure(fmt::format("no CPU {}", index), errno);
    void *run =
        ::mmap(nullptr, vm.host().run_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (run == MAP_FAILED) return kvm_failure(fmt::format("no CPU {}", index), errno);
    return std::unique_ptr<KvmCpu>{new KvmCpu(wiring, index, std::move(fd),
                                              static_cast<kvm_run *>(run), vm.host().run_size())};
}

KvmCpu::~KvmCpu() {
    ::munmap(run_, run_size_);
}

void KvmCpu::start(const CpuStart &start) {
    if (index_ != 0) return;
    if (const auto result = x86::set_start_state(fd_.get(), start); !result.has_value())
        wiring_.events->cpu_failed(result.error());
}

void KvmCpu::save(devices::StateWriter &) const {
    check_failed("the board says that it cannot be saved", __FILE__, __LINE__);
}
Result<> KvmCpu::restore(devices::StateReader &) {
    check_failed("the board says that it cannot be saved", __FILE__, __LINE__);
}

void KvmCpu::leave() {
    is_leaving_ = true;
    // api.rst, immediate_exit: KVM_RUN returns at once, and a signal covers the time after its
    // test.
    std::atomic_ref(run_->immediate_exit).store(1);
    kick();
}

void KvmCpu::kick() {
    const std::lock_guard lock(mutex_);
    if (is_inside_) ::pthread_kill(thread_, kick_signal());
}

void KvmCpu::run() {
    {
        const std::lock_guard lock(mutex_);
        thread_ = ::pthread_self();
        is_inside_ = true;
    }
    // An access that was served becomes complete in the next KVM_RUN (api.rst 5), so the CPU leaves
    // after one that was cut short, and there only.
    for (;;) {
        if (::ioctl(fd_.get(), KVM_RUN, 0) == 0) {
            serve_exit();
        } else if (errno == EINTR || errno == EAGAIN) {
            if (is_leaving_.exchange(false)) break;
        } else {
            fail(fmt::format("it does not run ({})", std::strerror(errno)));
            break;
        }
    }
    std::atomic_ref(run_->immediate_exit).store(0);
    if (is_leaving_) std::atomic_ref(run_->immediate_exit).store(1); // a call between the two
    const std::lock_guard lock(mutex_);
    is_inside_ = false;
}

void KvmCpu::serve_exit() {
    exits_[std::min(run_->exit_reason, kReasons - 1)].fetch_add(1, std::memory_order_relaxed);
    switch (run_->exit_reason) {
    case KVM_EXIT_IO: serve_ports(); break;
    case KVM_EXIT_MMIO: serve_memory(); break;
    case KVM_EXIT_INTR: break;
    case KVM_EXIT_SHUTDOWN: wiring_.events->cpu_shut_down(); break;
    case KVM_EXIT_FAIL_ENTRY:
        fail(fmt::format("the processor refuses to enter the guest, reason {:#x}",
                         u64{run_->fail_entry.hardware_entry_failure_reason}));
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        fail(fmt::format("an internal error of KVM, number {}", u32{run_->internal.suberror}));
        break;
    default: fail(fmt::format("an exit that is not known, {}", u32{run_->exit_reason})); break;
    }
}

void KvmCpu::serve_ports() {
    // Copies: the page is shared with the kernel, not with the guest.
    const auto io = run_->io;
    if (!std::has_single_bit(unsigned{io.size}) || io.size > 4) return;
    const unsigned size_log2 = static_cast<unsigned>(std::countr_zero(unsigned{io.size}));
    auto *data = reinterpret_cast<std::byte *>(run_) + io.data_offset;
    for (u32 i = 0; i < io.count; ++i, data += io.size) {
        u64 value = 0;
        if (io.direction == KVM_EXIT_IO_OUT) {
            std::memcpy(&value, data, io.size);
            wiring_.ports->write(io.port, size_log2, value);
        } else {
            value = wiring_.ports->read(io.port, size_log2);
            std::memcpy(data, &value, io.size);
        }
    }
}

void KvmCpu::serve_memory() {
    const auto access = run_->mmio;
    // Devices see naturally aligned accesses; what is not is cut into pieces that are.
    for (u32 done = 0; done < access.len && done < sizeof access.data;) {
        const u64 address = access.phys_addr + done;
        const u32 left = access.len - done;
        const u32 size = std::min<u32>(
            std::bit_floor(left), address == 0 ? 8 : 1u << std::min(std::countr_zero(address), 3));
        const unsigned size_log2 = static_cast<unsigned>(std::countr_zero(size));
        u64 value = 0;
        if (access.is_write != 0) {
            std::memcpy(&value, access.data + done, size);
            static_cast<void>(wiring_.memory->write(address, size_log2, value));
        } else {
            // Nobody there, or who refuses: the bus floats.
            if (!wiring_.memory->read(address, size_log2, value)) value = ~u64{0};
            std::memcpy(run_->mmio.data + done, &value, size);
        }
        done += size;
    }
}

void KvmCpu::fail(std::string_view what) {
    kvm_regs registers{};
    ::ioctl(fd_.get(), KVM_GET_REGS, &registers);
    wiring_.events->cpu_failed(
        {fmt::format("{}: CPU {}: {}, at {:#x}; this KVM cannot run this guest: use one for real "
                     "hardware, or another guest",
                     KvmHost::kDevice, index_, what, u64{registers.rip})});
}

} // namespace tandem::machine
