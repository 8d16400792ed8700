#include "devices/gic/gicv3.h"
#include "devices/gic/gicv3_registers.h"

namespace tandem::devices {

using namespace gicv3::redistributor;

namespace {
constexpr u32 kFrameSize = 0x10000; ///< RD_base, then SGI_base
}

bool GicV3::Redistributors::read(u64 offset, unsigned size_log2, u64 &value) {
    const u32 index = static_cast<u32>(offset / kRedistributorSize);
    const u32 at = static_cast<u32>(offset % kRedistributorSize);
    value = 0;
    if (at < kFrameSize) {
        value = gicv3::extract(read_control_frame(index, at & ~3u), at, std::min(size_log2, 2u));
        if (size_log2 == 3) value |= u64{read_control_frame(index, at + 4)} << 32;
        return true;
    }
    const BankAddress address = decode_bank_register(at - kFrameSize);
    if (address.kind != BankRegister::None && address.bank == 0 && size_log2 < 3) {
        const Cpu &cpu = *gic_.cpus_[index];
        const std::scoped_lock lock(cpu.mutex);
        value = cpu.state.bank.read(address, size_log2);
    }
    return true;
}

bool GicV3::Redistributors::write(u64 offset, unsigned size_log2, u64 value) {
    const u32 index = static_cast<u32>(offset / kRedistributorSize);
    const u32 at = static_cast<u32>(offset % kRedistributorSize);
    if (size_log2 == 3) return true; // no 64-bit register here can be written without LPIs
    Cpu &cpu = *gic_.cpus_[index];
    if (at < kFrameSize) {
        if (at == static_cast<u32>(Register::WAKER) && size_log2 == 2) {
            // Interrupts of a CPU that is still "asleep" are delivered nevertheless: it runs, so
            // its wake request would be granted at once, and bare-metal guests rely on that.
            const std::scoped_lock lock(cpu.mutex);
            cpu.state.asleep = (value & WAKER_ProcessorSleep) != 0;
        }
        return true;
    }
    const BankAddress address = decode_bank_register(at - kFrameSize);
    if (address.kind != BankRegister::None && address.bank == 0) {
        const std::scoped_lock lock(cpu.mutex);
        cpu.state.bank.write(address, size_log2, value, ~u32{0}, gicv3::kPpiMask);
        gic_.update(index, cpu);
    }
    return true;
}

u32 GicV3::Redistributors::read_control_frame(u32 index, u32 offset) const {
    switch (static_cast<Register>(offset)) {
    case Register::IIDR: return gicv3::kImplementer;
    case Register::TYPER: return index << 8 | (index + 1 == gic_.cpus_.size() ? TYPER_Last : 0);
    case Register::TYPER_AFFINITY: return gic_.affinities_[index];
    case Register::WAKER: {
        const Cpu &cpu = *gic_.cpus_[index];
        const std::scoped_lock lock(cpu.mutex);
        return cpu.state.asleep ? WAKER_ProcessorSleep | WAKER_ChildrenAsleep : 0;
    }
    default:
        if (offset >= static_cast<u32>(Register::ID) && offset < kFrameSize)
            return gicv3::identification(offset);
        return 0;
    }
}

} // namespace tandem::devices
