#pragma once
/// The Accelerator that hands the guest's CPUs to KVM.
#include "machine/accel/kvm/kvm_cpu.h"

#include <vector>

namespace tandem::machine {

class KvmAccelerator final : public Accelerator {
public:
    /// Makes all of a machine's CPUs. `vm` and what the wiring names outlive this.
    [[nodiscard]] static Result<std::unique_ptr<KvmAccelerator>>
    create(KvmVm &vm, const KvmWiring &, u32 cpus);

    [[nodiscard]] std::string_view name() const override { return "kvm"; }
    /// Once for each.
    [[nodiscard]] std::unique_ptr<AcceleratedCpu> create_cpu(u32 index) override;
    /// Never: check_config() has refused it.
    [[nodiscard]] std::unique_ptr<CountedCpu> create_counted_cpu(u32 index) override;
    // KVM sees memory as it is.
    void memory_written(GuestPhysAddr, u64) override {}
    void map_changed() override {}
    void slow_down_writes() override {}
    // While the CPUs exist.
    /// Of all of them to this program.
    [[nodiscard]] u64 exits() const;
    [[nodiscard]] std::string statistics_report() const override;

private:
    explicit KvmAccelerator(const KvmWiring &wiring) : wiring_(wiring) {}

    const KvmWiring wiring_;
    std::vector<std::unique_ptr<KvmCpu>> made_; ///< that nobody has asked for yet
    std::vector<const KvmCpu *> cpus_;
};

} // namespace tandem::machine
