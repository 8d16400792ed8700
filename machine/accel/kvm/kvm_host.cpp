#include "machine/accel/kvm/kvm_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem::machine {
namespace {

struct Requirement {
    int capability;
    const char *name;
};

// clang-format off
constexpr Requirement kRequirements[] = {
    {KVM_CAP_USER_MEMORY,           "guest memory of the program's"},
    {KVM_CAP_SET_TSS_ADDR,          "KVM_SET_TSS_ADDR"},
    {KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR"},
    {KVM_CAP_IRQCHIP,               "an interrupt controller in the kernel"},
    {KVM_CAP_PIT2,                  "a timer (PIT) in the kernel"},
    {KVM_CAP_EXT_CPUID,             "KVM_GET_SUPPORTED_CPUID"},
    {KVM_CAP_MP_STATE,              "states of several CPUs"},
    {KVM_CAP_IRQFD,                 "interrupts by eventfd"},
    {KVM_CAP_IOEVENTFD,             "doorbells by eventfd"},
    {KVM_CAP_IMMEDIATE_EXIT,        "immediate exits"},
};
// clang-format on

} // namespace

Error kvm_open_error(const char *path, int error) {
    switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
        return {fmt::format("{}: missing: this host has no KVM; load its module (modprobe kvm_amd "
                            "or kvm_intel) or switch virtualisation on in its firmware",
                            path)};
    case EACCES:
    case EPERM:
        return {
            fmt::format("{}: no permission; join its group (sudo usermod -aG kvm $USER) and log "
                        "in again",
                        path)};
    case EMFILE:
    case ENFILE:
        return {fmt::format("{}: {}; raise the limit (ulimit -n)", path, std::strerror(error))};
    default:
        return {fmt::format("{}: cannot be opened ({}); check it with ls -l {}", path,
                            std::strerror(error), path)};
    }
}

Result<> check_kvm_extensions(const char *path, const std::function<int(int)> &extension) {
    const auto missing = std::ranges::find_if(
        kRequirements, [&](const Requirement &each) { return extension(each.capability) <= 0; });
    if (missing == std::end(kRequirements)) return {};
    return failure(fmt::format("{}: this KVM has not {}; use a newer kernel, or one with KVM for "
                               "real hardware",
                               path, missing->name));
}

Result<std::unique_ptr<KvmHost>> KvmHost::open(const char *path) {
    ScopedFd fd{::open(path, O_RDWR | O_CLOEXEC)};
    if (!fd.is_open()) return std::unexpected(kvm_open_error(path, errno));
    const int version = ::ioctl(fd.get(), KVM_GET_API_VERSION, 0);
    if (version < 0)
        return failure(fmt::format("{}: is not KVM's device ({}); remove what lies in its place",
                                   path, std::strerror(errno)));
    if (version != KVM_API_VERSION)
        return failure(fmt::format("{}: speaks version {} of KVM's interface, not {}; use another "
                                   "kernel",
                                   path, version, KVM_API_VERSION));
    TRY(check_kvm_extensions(
        path, [&](int capability) { return ::ioctl(fd.get(), KVM_CHECK_EXTENSION, capability); }));
    const int run_size = ::ioctl(fd.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size < static_cast<int>(sizeof(kvm_run)))
        return failure(fmt::format("{}: shares {} bytes for each CPU, fewer than kvm_run has; use "
                                   "another kernel",
                                   path, run_size));
    return std::unique_ptr<KvmHost>{new KvmHost(std::move(fd), static_cast<u64>(run_size))};
}

int KvmHost::extension(int capability) const {
    return ::ioctl(fd_.get(), KVM_CHECK_EXTENSION, capability);
}

unsigned KvmHost::max_cpus() const {
    // api.rst 4.4: what does not know KVM_CAP_MAX_VCPUS has the recommended number, or 4.
    for (const int capability : {KVM_CAP_MAX_VCPUS, KVM_CAP_NR_VCPUS})
        if (const int count = extension(capability); count > 0) return static_cast<unsigned>(count);
    return 4;
}

} // namespace tandem::machine
