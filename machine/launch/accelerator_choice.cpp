#include "machine/launch/accelerator_choice.h"

#include "machine/accel/kvm/kvm_host.h"
#include "machine/boot/kernel_image.h"

#include <fmt/format.h>

namespace tandem::machine {
namespace {

constexpr std::string_view kOtherGuest = "or use a kernel built for arm64 (aarch64)";

Result<AcceleratorChoice> choose_for_x86(const MachineConfig &config, const Sniffed &what,
                                         const char *kvm_device) {
    if (config.accelerator == AcceleratorKind::Jit ||
        config.accelerator == AcceleratorKind::Interpreter)
        return failure(fmt::format("{}: is {}, and Tandem translates arm64 alone; use --accel kvm, "
                                   "{}",
                                   config.kernel, what.description, kOtherGuest));
    if (const auto host = KvmHost::open(kvm_device); !host.has_value())
        return failure(fmt::format("{}: is {}, which needs KVM here, but {}; {}", config.kernel,
                                   what.description, host.error().message, kOtherGuest));
    return AcceleratorChoice{BoardKind::Microvm, AcceleratorKind::Kvm,
                             fmt::format("KVM runs the guest: it is x86-64 as this host is, and {} "
                                         "can be used",
                                         kvm_device)};
}

} // namespace

Result<AcceleratorChoice> choose_accelerator(const MachineConfig &config) {
    return choose_accelerator(config, KvmHost::kDevice);
}

Result<AcceleratorChoice> choose_accelerator(const MachineConfig &config, const char *kvm_device) {
    if (!config.kernel.empty() && config.bios.empty())
        // What cannot be read is told when it is loaded.
        if (const auto head = FileBytes::read(config.kernel, kSniffBytes); head.has_value())
            if (const Sniffed what = sniff(head->span()); is_x86(what.kind))
                return choose_for_x86(config, what, kvm_device);
    if (config.accelerator == AcceleratorKind::Kvm)
        return failure("--accel kvm: the guest is not x86-64, as this host is; use --accel jit, or "
                       "a bzImage or ELF kernel for x86-64");
    return AcceleratorChoice{BoardKind::Virt, config.accelerator, ""};
}

} // namespace tandem::machine
