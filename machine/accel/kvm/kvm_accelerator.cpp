#include "machine/accel/kvm/kvm_accelerator.h"

#include "machine/accel/kvm/x86/cpuid.h"
#include "support/check.h"

#include <fmt/format.h>
#include <linux/kvm.h>

#include <string_view>
#include <utility>

namespace tandem::machine {
namespace {

// clang-format off
constexpr std::pair<u32, std::string_view> kReasonNames[] = {
    {KVM_EXIT_IO,       "port"},
    {KVM_EXIT_MMIO,     "memory"},
    {KVM_EXIT_INTR,     "signal"},
    {KVM_EXIT_SHUTDOWN, "triple fault"},
};
// clang-format on

} // namespace

Result<std::unique_ptr<KvmAccelerator>> KvmAccelerator::create(KvmVm &vm, const KvmWiring &wiring,
                                                               u32 cpus) {
    if (const unsigned most = vm.host().max_cpus(); cpus > most)
        return failure(
            fmt::format("--cpus {}: this host's KVM has {} at most; use fewer", cpus, most));
    std::unique_ptr<KvmAccelerator> accelerator{new KvmAccelerator(wiring)};
    const x86::Cpuid cpuid = TRY(x86::Cpuid::create(vm.host(), cpus));
    for (u32 i = 0; i < cpus; ++i) {
        auto cpu = TRY(KvmCpu::create(vm, accelerator->wiring_, i));
        TRY(cpuid.give_to(cpu->fd(), i));
        accelerator->cpus_.push_back(cpu.get());
        accelerator->made_.push_back(std::move(cpu));
    }
    return accelerator;
}

std::unique_ptr<AcceleratedCpu> KvmAccelerator::create_cpu(u32 index) {
    return std::move(made_[index]);
}

std::unique_ptr<CountedCpu> KvmAccelerator::create_counted_cpu(u32) {
    check_failed("KVM counts no instructions", __FILE__, __LINE__);
}

u64 KvmAccelerator::exits() const {
    u64 sum = 0;
    for (const KvmCpu *cpu : cpus_)
        for (u32 reason = 0; reason < KvmCpu::kReasons; ++reason) sum += cpu->exits(reason);
    return sum;
}

std::string KvmAccelerator::statistics_report() const {
    std::string report = "kvm: exits to the program:";
    for (const auto &[reason, name] : kReasonNames) {
        u64 sum = 0;
        for (const KvmCpu *cpu : cpus_) sum += cpu->exits(reason);
        report += fmt::format(" {} {}{}", name, sum, reason == KVM_EXIT_SHUTDOWN ? "\n" : ",");
    }
    return report;
}

} // namespace tandem::machine
