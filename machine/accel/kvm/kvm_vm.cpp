#include "machine/accel/kvm/kvm_vm.h"

#include <fmt/format.h>
#include <linux/kvm.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {
namespace {

/// Three pages and one that Intel's processors need below 4 GiB and outside of RAM to run real
/// mode (api.rst 4.34, 4.39), where no device is either.
constexpr u64 kTssAddress = 0xfffb'd000, kIdentityMapAddress = 0xfffb'c000;

} // namespace

std::unexpected<Error> kvm_failure(std::string_view what, int error) {
    std::string_view mend = "see the host's kernel log (dmesg)";
    switch (error) {
    case EMFILE:
    case ENFILE: mend = "raise the limit (ulimit -n) or stop another machine"; break;
    case ENOMEM:
    case ENOSPC: mend = "stop another machine or use a smaller one"; break;
    case EBUSY: mend = "another hypervisor uses the processor's virtualisation; stop it"; break;
    case ENOTTY:
    case EINVAL:
    case EOPNOTSUPP: mend = "this KVM has not what the machine needs; use a newer kernel"; break;
    default: break;
    }
    return failure(
        fmt::format("{}: {}: {}; {}", KvmHost::kDevice, what, std::strerror(error), mend));
}

Result<std::unique_ptr<KvmVm>> KvmVm::create(const KvmHost &host) {
    int fd = -1;
    // api.rst 4.2: interrupted by a signal, it is to be called again.
    do {
        fd = ::ioctl(host.fd(), KVM_CREATE_VM, 0);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return kvm_failure("no machine can be made", errno);
    std::unique_ptr<KvmVm> vm{new KvmVm(host, ScopedFd{fd})};
    u64 identity_map = kIdentityMapAddress;
    if (::ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
        ::ioctl(fd, KVM_SET_TSS_ADDR, kTssAddress) < 0)
        return kvm_failure("no room for real mode", errno);
    if (::ioctl(fd, KVM_CREATE_IRQCHIP, 0) < 0)
        return kvm_failure("no interrupt controller in the kernel", errno);
    kvm_pit_config pit{};
    pit.flags = KVM_PIT_SPEAKER_DUMMY;
    if (::ioctl(fd, KVM_CREATE_PIT2, &pit) < 0)
        return kvm_failure("no timer (PIT) in the kernel", errno);
    return vm;
}

Result<> KvmVm::map(u64 address, std::span<std::byte> memory) {
    kvm_userspace_memory_region region{};
    region.slot = slots_;
    region.guest_phys_addr = address;
    region.memory_size = memory.size();
    region.userspace_addr = reinterpret_cast<u64>(memory.data());
    if (::ioctl(fd_.get(), KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return kvm_failure("it does not take the guest's memory", errno);
    ++slots_;
    return {};
}

Result<> KvmVm::use_edges(u32 line) {
    ScopedFd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    kvm_irqfd request{};
    request.fd = static_cast<u32>(event.get());
    request.gsi = line;
    if (!event.is_open() || ::ioctl(fd_.get(), KVM_IRQFD, &request) < 0)
        return kvm_failure("no interrupts by eventfd", errno);
    edges_[line] = std::move(event);
    return {};
}

void KvmVm::set_level(u32 line, bool level) {
    if (edges_[line].is_open()) {
        if (level) ::eventfd_write(edges_[line].get(), 1);
        return;
    }
    kvm_irq_level request{};
    request.irq = line;
    request.level = level ? 1 : 0;
    // It fails only for lines that there are not.
    ::ioctl(fd_.get(), KVM_IRQ_LINE, &request);
}

Result<> KvmVm::ring(int eventfd, u64 address, u32 value) {
    kvm_ioeventfd request{};
    request.datamatch = value;
    request.addr = address;
    request.len = sizeof value;
    request.fd = eventfd;
    request.flags = KVM_IOEVENTFD_FLAG_DATAMATCH;
    if (::ioctl(fd_.get(), KVM_IOEVENTFD, &request) < 0)
        return kvm_failure("no doorbells by eventfd", errno);
    return {};
}

} // namespace tandem::machine
