#include "devices/gic/gicv3.h"
#include "devices/gic/gicv3_registers.h"

namespace tandem::devices {

using namespace gicv3::redistributor;

namespace {
constexpr u32 kFrameSize = 0x10000; ///< RD_base, then SGI_base
// Address, cacheability and shareability; GICR_PROPBASER.IDbits, GICR_PENDBASER.PTZ.
constexpr u64 kPropertiesWritable = 0x070f'ffff'ffff'ff9f;
constexpr u64 kPendingWritable = 0x470f'ffff'ffff'0f80;
constexpr u64 kPendingZero = u64{1} << 62;
} // namespace

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
    if (at < kFrameSize) {
        if (size_log2 < 2) return true;
        write_control_frame(index, at, static_cast<u32>(value));
        if (size_log2 == 3) write_control_frame(index, at + 4, static_cast<u32>(value >> 32));
        return true;
    }
    if (size_log2 == 3) return true;
    Cpu &cpu = *gic_.cpus_[index];
    const BankAddress address = decode_bank_register(at - kFrameSize);
    if (address.kind != BankRegister::None && address.bank == 0) {
        const std::scoped_lock lock(cpu.mutex);
        cpu.state.bank.write(address, size_log2, value, ~u32{0}, gicv3::kPpiMask);
        gic_.update(index, cpu);
    }
    return true;
}

void GicV3::Redistributors::write_control_frame(u32 index, u32 offset, u32 value) {
    Cpu &cpu = *gic_.cpus_[index];
    const std::scoped_lock lock(cpu.mutex);
    LpiQueue &lpis = cpu.state.lpis;
    const auto reg = static_cast<Register>(offset);
    if (reg == Register::WAKER) {
        // Interrupts of a CPU that is still "asleep" are delivered nevertheless: it runs, so its
        // wake request would be granted at once, and bare-metal guests rely on that.
        cpu.state.asleep = (value & WAKER_ProcessorSleep) != 0;
        return;
    }
    if (gic_.memory_ == nullptr) return;
    const auto replace = [&](u64 &base, bool upper, u64 writable) {
        // IHI 0069H, GICR_PROPBASER: a write while EnableLPIs is 1 is UNPREDICTABLE.
        if (!lpis.enabled)
            base =
                (upper ? with_bits(base, 63, 32, value) : with_bits(base, 31, 0, value)) & writable;
    };
    switch (reg) {
    case Register::CTLR: {
        const bool enable = (value & CTLR_EnableLPIs) != 0;
        if (enable == lpis.enabled) break;
        if (!enable) lpis.store_pending(*gic_.memory_);
        lpis.enabled = enable;
        if (enable) lpis.load_pending(*gic_.memory_);
        gic_.update(index, cpu);
        break;
    }
    case Register::PROPBASER: replace(lpis.properties, false, kPropertiesWritable); break;
    case Register::PROPBASER_HIGH: replace(lpis.properties, true, kPropertiesWritable); break;
    case Register::PENDBASER: replace(lpis.pending_table, false, kPendingWritable); break;
    case Register::PENDBASER_HIGH: replace(lpis.pending_table, true, kPendingWritable); break;
    default: break;
    }
}

u32 GicV3::Redistributors::read_control_frame(u32 index, u32 offset) const {
    const auto lpis = [&](u64 LpiQueue::*base, unsigned shift, u64 mask) {
        const Cpu &cpu = *gic_.cpus_[index];
        const std::scoped_lock lock(cpu.mutex);
        return static_cast<u32>((cpu.state.lpis.*base & mask) >> shift);
    };
    switch (static_cast<Register>(offset)) {
    case Register::IIDR: return gicv3::kImplementer;
    case Register::TYPER:
        return index << 8 | (index + 1 == gic_.cpus_.size() ? TYPER_Last : 0) |
               (gic_.memory_ != nullptr ? TYPER_PLPIS : 0);
    case Register::CTLR: {
        const Cpu &cpu = *gic_.cpus_[index];
        const std::scoped_lock lock(cpu.mutex);
        return cpu.state.lpis.enabled ? CTLR_EnableLPIs : 0;
    }
    case Register::PROPBASER: return lpis(&LpiQueue::properties, 0, ~u64{0});
    case Register::PROPBASER_HIGH: return lpis(&LpiQueue::properties, 32, ~u64{0});
    case Register::PENDBASER: return lpis(&LpiQueue::pending_table, 0, ~kPendingZero);
    case Register::PENDBASER_HIGH: return lpis(&LpiQueue::pending_table, 32, ~kPendingZero);
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
