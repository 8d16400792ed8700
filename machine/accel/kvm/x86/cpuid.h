#pragma once
/// What CPUID tells the guest: what the host's processor has and KVM supports, less what guests
/// have no use for (cpuid_edits.inc), in one package of cores without threads.
#include "machine/accel/kvm/kvm_host.h"

#include <linux/kvm.h>

#include <vector>

namespace tandem::machine::x86 {

class Cpuid {
public:
    [[nodiscard]] static Result<Cpuid> create(const KvmHost &, u32 cpus);
    /// For tests: of these leaves. `has_deadline_timer`: KVM_CAP_TSC_DEADLINE_TIMER.
    Cpuid(std::vector<kvm_cpuid_entry2> supported, u32 cpus, bool has_deadline_timer);

    /// Leaves of a CPU, whose local APIC's number is its index.
    [[nodiscard]] std::vector<kvm_cpuid_entry2> leaves_of(u32 index) const;
    /// `cpu` is a vCPU's descriptor.
    [[nodiscard]] Result<> give_to(int cpu, u32 index) const;

private:
    void edit();
    void add_topology();

    std::vector<kvm_cpuid_entry2> leaves_;
    u32 cpus_;
};

} // namespace tandem::machine::x86
