#include "machine/board/interrupt_controller.h"

#include "devices/gic/gicv2.h"
#include "devices/gic/gicv2m.h"
#include "devices/gic/gicv3.h"
#include "devices/gic/gicv3_its.h"
#include "frontend-arm/sysreg/sysreg.h"
#include "machine/board/memory_map.h"

#include <algorithm>

namespace tandem::machine {
namespace {

/// ICC_* registers of one CPU.
class GicV3CpuInterface final : public arm::GicCpuInterface {
public:
    GicV3CpuInterface(devices::GicV3 &gic, u32 cpu) : gic_(gic), cpu_(cpu) {}

    u64 read(arm::SysRegId id) override {
        u64 value = 0;
        // The frontend's table offers only registers that exist, so this cannot be refused.
        static_cast<void>(gic_.read_system_register(cpu_, arm::sysreg_info(id).encoding, value));
        return value;
    }
    void write(arm::SysRegId id, u64 value) override {
        static_cast<void>(gic_.write_system_register(cpu_, arm::sysreg_info(id).encoding, value));
    }

private:
    devices::GicV3 &gic_;
    u32 cpu_;
};

class GicV3Controller final : public InterruptController {
public:
    GicV3Controller(const std::vector<u64> &affinities, devices::CpuInterruptSink &sink,
                    devices::DmaSpace &memory)
        : gic_(config(affinities, memory), sink), its_(gic_, memory, GuestPhysAddr{kGicIts.base}) {
        for (u32 i = 0; i < affinities.size(); ++i)
            interfaces_.push_back(std::make_unique<GicV3CpuInterface>(gic_, i));
    }

    void set_ppi(u32 cpu, u32 intid, bool level) override { gic_.set_ppi(cpu, intid, level); }
    arm::GicCpuInterface *cpu_interface(u32 cpu) override { return interfaces_[cpu].get(); }
    devices::IrqSink &spis() override { return gic_; }
    devices::MsiSink &messages() override { return its_; }
    void map_into(PhysicalMap &map) override {
        map.add_device(GuestPhysAddr{kGicDistributor.base}, gic_.distributor());
        map.add_device(GuestPhysAddr{kGicIts.base}, its_);
        map.add_device(GuestPhysAddr{kGicRedistributors.base}, gic_.redistributors());
    }
    void save(devices::StateWriter &writer) const override {
        gic_.save(writer);
        its_.save(writer);
    }
    Result<> restore(devices::StateReader &reader) override {
        TRY(gic_.restore(reader));
        return its_.restore(reader);
    }
    Phandles describe(FdtTreeNode &root) const override {
        devices::FdtNode &node = gic_.describe(root, GuestPhysAddr{kGicDistributor.base},
                                               GuestPhysAddr{kGicRedistributors.base});
        return {node.phandle(), its_.describe_in(node)};
    }
    u32 ppi_flags() const override { return devices::kFdtLevelHigh; }

private:
    static devices::GicV3Config config(const std::vector<u64> &affinities,
                                       devices::DmaSpace &memory) {
        devices::GicV3Config config;
        config.spi_count = kSpiCount;
        config.memory = &memory;
        for (const u64 affinity : affinities)
            config.affinities.push_back(static_cast<u32>(affinity));
        return config;
    }

    devices::GicV3 gic_;
    devices::GicV3Its its_;
    std::vector<std::unique_ptr<GicV3CpuInterface>> interfaces_;
};

/// The CPU interface is memory-mapped and banked by the accessing CPU.
class GicV2Controller final : public InterruptController {
public:
    GicV2Controller(u32 cpus, devices::CpuInterruptSink &sink, const devices::VcpuIdentity &who)
        : cpus_(cpus), gic_(cpus, kSpiCount, who, sink),
          frame_(gic_, GuestPhysAddr{kGicV2m.base}, kGicV2mSpi, kGicV2mSpis) {}

    void set_ppi(u32 cpu, u32 intid, bool level) override { gic_.set_ppi(cpu, intid, level); }
    arm::GicCpuInterface *cpu_interface(u32) override { return nullptr; }
    devices::IrqSink &spis() override { return gic_; }
    devices::MsiSink &messages() override { return frame_; }
    void map_into(PhysicalMap &map) override {
        map.add_device(GuestPhysAddr{kGicDistributor.base}, gic_.distributor());
        map.add_device(GuestPhysAddr{kGicCpuInterface.base}, gic_.cpu_interface());
        map.add_device(GuestPhysAddr{kGicV2m.base}, frame_);
    }
    void save(devices::StateWriter &writer) const override {
        gic_.save(writer);
        frame_.save(writer);
    }
    Result<> restore(devices::StateReader &reader) override {
        TRY(gic_.restore(reader));
        return frame_.restore(reader);
    }
    Phandles describe(FdtTreeNode &root) const override {
        devices::FdtNode &node = gic_.describe(root, GuestPhysAddr{kGicDistributor.base},
                                               GuestPhysAddr{kGicCpuInterface.base});
        return {node.phandle(), frame_.describe_in(node)};
    }
    // Linux arm,gic.yaml: bits 15:8 are the CPUs a PPI is wired to.
    u32 ppi_flags() const override {
        return devices::kFdtLevelHigh | static_cast<u32>(ones(cpus_)) << 8;
    }

private:
    u32 cpus_;
    devices::GicV2 gic_;
    devices::GicV2m frame_;
};

} // namespace

std::unique_ptr<InterruptController> InterruptController::create(unsigned version,
                                                                 const std::vector<u64> &affinities,
                                                                 devices::CpuInterruptSink &sink,
                                                                 const devices::VcpuIdentity &who,
                                                                 PhysicalMap &map) {
    if (version == 2)
        return std::make_unique<GicV2Controller>(static_cast<u32>(affinities.size()), sink, who);
    return std::make_unique<GicV3Controller>(affinities, sink, map);
}

} // namespace tandem::machine
